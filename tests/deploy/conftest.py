"""The manifests and the image recipe as data."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
Manifest = dict[str, Any]


@pytest.fixture(scope="session")
def manifests() -> list[Manifest]:
    """All resources of the base, read as a person reads them: kustomization.yaml names the files."""
    base = DEPLOY / "k8s" / "base"
    kustomization = yaml.safe_load((base / "kustomization.yaml").read_text())
    found: list[Manifest] = []
    for resource in kustomization["resources"]:
        found += yaml.safe_load_all((base / resource).read_text())
    return found


@dataclass(frozen=True)
class Stage:
    """One FROM of a Dockerfile with its instructions, continuation lines joined."""

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...]

    def arguments(self, instruction: str) -> list[str]:
        """The arguments of every ``instruction`` of this stage, in order."""
        return [argument for keyword, argument in self.instructions if keyword == instruction]


@pytest.fixture(scope="session")
def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile by name."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[str, Stage] = {}
    for line in lines:
        keyword, argument = line.split(maxsplit=1)
        if keyword == "FROM":
            match = re.fullmatch(r"(\S+) AS (\S+)", argument)
            assert match is not None, f"a stage without a name: {line}"
            base, name = match.groups()
            found[name] = Stage(name, base, ())
        elif found:
            last = next(reversed(found))
            found[last] = Stage(
                last, found[last].base, (*found[last].instructions, (keyword, argument.strip()))
            )
    return found
