"""The committed stubs are what the contracts generate, and they make a wheel that works alone."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import protos

ROOT = Path(__file__).parents[2]


def test_committed_stubs_are_current() -> None:
    assert protos.differences() == []


def test_a_stale_a_missing_and_an_orphaned_stub_are_each_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = tmp_path / "tunggal" / "example" / "v1" / "example.proto"
    contract.parent.mkdir(parents=True)
    contract.write_text('syntax = "proto3";\npackage tunggal.example.v1;\nmessage Example {}\n')
    monkeypatch.setattr(protos, "PROTOS", tmp_path)
    protos.write()
    assert protos.differences() == []

    contract.with_name("example_pb2.py").write_text("# edited by hand\n")
    contract.with_name("example_pb2.pyi").unlink()
    contract.with_name("gone_pb2.py").touch()

    assert protos.differences() == [
        "protos/tunggal/example/v1/gone_pb2.py: no .proto generates it",
        "protos/tunggal/example/v1/example_pb2.pyi: missing",
        "protos/tunggal/example/v1/example_pb2.py: differs from what the .proto generates",
    ]


def test_a_contract_with_a_mistake_is_refused_in_the_words_of_protoc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = tmp_path / "tunggal" / "example.proto"
    contract.parent.mkdir()
    contract.write_text('syntax = "proto3";\nmessage Example { Missing field = 1; }\n')
    monkeypatch.setattr(protos, "PROTOS", tmp_path)

    with pytest.raises(protos.GenerationError, match='"Missing" is not defined'):
        protos.generate(tmp_path / "out")


def test_every_contract_is_in_a_versioned_package_of_its_directory() -> None:
    sources = protos.sources()
    assert sources
    for source in sources:
        package = ".".join(Path(source).parent.parts)
        assert f"package {package};" in (protos.PROTOS / source).read_text()
        assert package.endswith(".v1")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the contracts, built from a copy so that the sources stay clean."""
    scratch = tmp_path_factory.mktemp("wheel")
    copy = scratch / "protos"
    for source in (ROOT / "protos").rglob("*"):
        if source.is_file() and "__pycache__" not in source.parts and "build" not in source.parts:
            target = copy / source.relative_to(ROOT / "protos")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(scratch), str(copy))
    (built,) = scratch.glob("tunggal_protos-*.whl")
    return built


def test_the_wheel_carries_contracts_stubs_types_and_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for source in protos.sources():
        stem = source.removesuffix(".proto")
        assert {source, *(stem + suffix for suffix in protos.STUB_SUFFIXES)} <= set(names)
    assert {"tunggal/py.typed", "buf/validate/validate_pb2.py", "buf/validate/validate_pb2.pyi"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    # Google's own types belong to other distributions; a second copy would shadow them.
    assert not [name for name in names if name.startswith("google/")]


def test_a_client_team_can_use_the_wheel_without_this_repository(wheel: Path, tmp_path: Path) -> None:
    _pip("install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel))
    program = """
import sys
from pathlib import Path
import importlib
site = Path(sys.argv[1])
for source in sorted(site.glob("tunggal/**/*_pb2*.py")):
    module = importlib.import_module(".".join(source.relative_to(site).with_suffix("").parts))
    assert Path(module.__file__).is_relative_to(site), module.__file__
print("imported")
"""
    # -S keeps the editable install of this repository out; the dependencies come from the environment.
    dependencies = Path(pytest.__file__).parents[1]
    code = f"import sys; sys.path[:0] = [sys.argv[1]]; sys.path.append({str(dependencies)!r})\n{program}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "imported\n"


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
