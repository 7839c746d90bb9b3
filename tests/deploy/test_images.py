"""The image recipe names what exists, and each image has what its service imports."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Protocol

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from services.common.settings import SERVICES

ROOT = Path(__file__).parents[2]
each_service = pytest.mark.parametrize("service", SERVICES)


class Stage(Protocol):
    """See conftest.py."""

    base: str

    def arguments(self, instruction: str) -> list[str]: ...


@each_service
def test_each_service_is_a_target_that_runs_as_a_user_without_rights(
    service: str, stages: dict[str, Stage]
) -> None:
    stage = stages[service]
    assert stage.arguments("USER") == ["65532:65532"]
    assert [json.loads(entry) for entry in stage.arguments("ENTRYPOINT")] == [
        ["python", "-m", f"services.{service}"]
    ]
    assert (ROOT / "services" / service / "__main__.py").exists()
    last_digit = SERVICES[service]
    assert stage.arguments("EXPOSE") == [f"710{last_digit} 720{last_digit} 730{last_digit}"]


def test_everything_that_is_copied_exists_and_reaches_the_builder(stages: dict[str, Stage]) -> None:
    ignored = (ROOT / "deploy" / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    for stage in stages.values():
        for copy in stage.arguments("COPY"):
            if match := re.match(r"--from=(\S+)", copy):
                assert match[1] in stages
                continue
            for source in copy.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


def test_nothing_is_installed_that_the_lock_does_not_pin(stages: dict[str, Stage]) -> None:
    found = [
        (name, install)
        for name, stage in stages.items()
        for run in stage.arguments("RUN")
        for install in re.findall(r"pip (?:--python \S+ )?(?:install|wheel) ([^&]*)", run)
    ]
    assert len(found) >= len(SERVICES)
    for name, install in found:
        pinned = "--require-hashes" in install or "--no-index" in install or "--no-deps" in install
        assert pinned, f"stage {name}: {install}"


@each_service
def test_the_extras_of_an_image_cover_what_its_service_imports(
    service: str, stages: dict[str, Stage]
) -> None:
    (run,) = stages[f"{service}-environment"].arguments("RUN")
    match = re.search(r"'tunggal\[([a-z,]+)]'", run)
    assert match is not None
    installed = _closure("tunggal", frozenset(match[1].split(",")))
    absent = [
        module
        for module, providers in packages_distributions().items()
        if module.isidentifier() and not {canonicalize_name(name) for name in providers} & installed
    ]
    program = f"""
import sys
absent = frozenset({absent!r}) | {{"bench", "sim"}}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"the image has no {{name}}", name=name)
sys.meta_path.insert(0, Absent())
import services.{service}.app, services.{service}.__main__, cli.main
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_extra_that_an_image_names_exists(stages: dict[str, Stage]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = [
        extras
        for stage in stages.values()
        for run in stage.arguments("RUN")
        for extras in re.findall(r"'tunggal\[([a-z,]+)]'", run)
    ]
    assert len(found) >= len(SERVICES)
    for extras in found:
        assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def _closure(
    name: str, extras: frozenset[str], seen: frozenset[NormalizedName] = frozenset()
) -> frozenset[NormalizedName]:
    """Canonical names of all distributions that pip would install for ``name[extras]`` on this machine."""
    found = {canonicalize_name(name)}
    for line in distribution(name).requires or []:
        requirement = Requirement(line)
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
        )
        key = canonicalize_name(requirement.name)
        if wanted and key not in seen | found:
            found |= _closure(requirement.name, frozenset(requirement.extras), seen | found)
    return frozenset(found)
