"""Generate the Python stubs of the contracts, check that they are current, and lint the contracts.

    python scripts/protos.py             write the stubs (.py and .pyi, messages and gRPC) beside each .proto
    python scripts/protos.py --check     generate them elsewhere and compare with the committed ones
    python scripts/protos.py --lint      buf lint (rules in ``protos/buf.yaml``) and buf format on the sources

The contracts import ``buf/validate/validate.proto``. Its source comes with no Python package, but the pinned
``protovalidate`` wheel carries its compiled descriptor; protoc takes that through ``--descriptor_set_in``.
Its stubs are generated here as well (``protos/buf/validate``), because those of the contracts import them.
Stubs of Google's own types come with protobuf and googleapis-common-protos and are never generated.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2, status_pb2
from google.type import date_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
VALIDATE = "buf/validate/validate.proto"
#: What protoc and the two plug-ins write for one .proto.
STUB_SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


class GenerationError(Exception):
    """A tool refused the contracts; its own words are the message."""


def sources() -> list[str]:
    """Every contract, as a path relative to ``protos/``, in an order that does not depend on the disk."""
    return sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "tunggal").rglob("*.proto"))


def imported_descriptors() -> bytes:
    """Serialized FileDescriptorSet of all that the contracts may import from outside this repository."""
    files = descriptor_pb2.FileDescriptorSet()
    for descriptor in (date_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR, status_pb2.DESCRIPTOR):
        descriptor.CopyToProto(files.file.add())
    # The wheel has no public door to its descriptor; the lock pins the wheel, and --check runs in the tests.
    files.file.add().ParseFromString(validate_pb._DESC.proto.to_binary())
    return files.SerializeToString(deterministic=True)


@contextmanager
def descriptor_set() -> Iterator[Path]:
    """A temporary file that holds ``imported_descriptors()``."""
    with tempfile.TemporaryDirectory(prefix="tunggal-protos-") as directory:
        path = Path(directory) / "imports.binpb"
        path.write_bytes(imported_descriptors())
        yield path


def protoc(imports: Path, arguments: Sequence[str]) -> None:
    """Run the protoc of grpcio-tools on the contracts."""
    # The mypy plug-ins are console scripts beside this interpreter, which need not be on PATH.
    plugins = [
        f"--plugin={name}={Path(sys.executable).with_name(name)}"
        for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    _call(
        [
            *(sys.executable, "-m", "grpc_tools.protoc"),
            *(f"--descriptor_set_in={imports}", f"--proto_path={PROTOS}"),
            *plugins,
            *arguments,
        ]
    )


def generate(target: Path) -> list[Path]:
    """Write all stubs under ``target``; returns their paths relative to it."""
    target.mkdir(parents=True, exist_ok=True)
    contracts = sources()
    if not contracts:
        raise GenerationError("there is no .proto under protos/tunggal")
    with descriptor_set() as imports:
        # quiet: a list of 60 files helps nobody.
        messages = [f"--python_out={target}", f"--mypy_out=quiet:{target}"]
        protoc(imports, [*messages, VALIDATE, *contracts])
        services = [f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}"]
        protoc(imports, [*services, *contracts])
    return sorted(path.relative_to(target) for path in stubs(target))


def stubs(root: Path) -> Iterator[Path]:
    """The generated files under ``root``."""
    return (path for path in root.rglob("*") if path.name.endswith(STUB_SUFFIXES))


def write() -> None:
    """Regenerate beside the sources; stubs whose .proto is gone are removed."""
    with tempfile.TemporaryDirectory(prefix="tunggal-stubs-") as directory:
        fresh = Path(directory)
        names = generate(fresh)
        for old in {path.relative_to(PROTOS) for path in _committed()} - set(names):
            (PROTOS / old).unlink()
        for name in names:
            (PROTOS / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh / name, PROTOS / name)
    for package in {PROTOS / name.parts[0] for name in names}:
        (package / "py.typed").touch()
    print(f"{len(names)} stubs of {len(sources())} contracts written")


def differences() -> list[str]:
    """What is stale, missing or left over among the committed stubs, a line each."""
    with tempfile.TemporaryDirectory(prefix="tunggal-stubs-") as directory:
        fresh = Path(directory)
        names = set(generate(fresh))
        committed = {path.relative_to(PROTOS) for path in _committed()}
        found = [f"protos/{name}: no .proto generates it" for name in sorted(committed - names)]
        found += [f"protos/{name}: missing" for name in sorted(names - committed)]
        found += [
            f"protos/{name}: differs from what the .proto generates"
            for name in sorted(names & committed)
            if (fresh / name).read_bytes() != (PROTOS / name).read_bytes()
        ]
    return found


def lint() -> None:
    """Hold the contracts against the rules and the format of buf."""
    buf = ROOT / ".setup" / "bin" / "buf"
    if not buf.exists():
        raise GenerationError(f"{buf.relative_to(ROOT)} is missing: run 'make setup'")
    with descriptor_set() as imports:
        # buf would look up the imports at its registry; an image carries them already and works offline.
        image = imports.with_name("image.binpb")
        protoc(
            imports,
            ["--include_imports", "--include_source_info", f"--descriptor_set_out={image}", *sources()],
        )
        _call([str(buf), "lint", str(image), "--config", "protos/buf.yaml"])
    _call([str(buf), "format", "--diff", "--exit-code", "protos"])
    print(f"{len(sources())} contracts lint and format clean")


def _committed() -> Iterator[Path]:
    for package in ("tunggal", "buf"):
        yield from stubs(PROTOS / package)


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GenerationError((done.stdout + done.stderr).strip() or f"{command[0]} failed")


def main() -> int:
    """Entry point; 1 when the contracts or the stubs need work."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare the committed stubs with fresh ones")
    mode.add_argument("--lint", action="store_true", help="buf lint and buf format")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            stale = differences()
            print("\n".join([*stale, "run 'make protos' and commit"]) if stale else "stubs are current")
            return 1 if stale else 0
        if arguments.lint:
            lint()
        else:
            write()
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
