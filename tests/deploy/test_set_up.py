"""What the set-up says on a machine that lacks something; what it does on others, every test run shows."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with the set-up script and nothing else."""
    (tmp_path / "checkout" / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "checkout" / "scripts")
    return tmp_path / "checkout"


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH directory with the commands that every Linux has: no compiler, no Python, no apt."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for command in ("bash", "cat", "dirname", "env", "id", "mkdir", "sed", "tail", "uname"):
        found = shutil.which(command)
        assert found is not None
        (directory / command).symlink_to(found)
    return directory


def set_up(checkout: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the set-up with nothing but ``path`` as PATH."""
    command = [str(checkout / "scripts" / "setup.sh")]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def fake(directory: Path, command: str, script: str) -> None:
    """Put a command of our own in place of the machine's."""
    (directory / command).unlink(missing_ok=True)
    (directory / command).write_text(f"#!/bin/sh\n{script}\n")
    (directory / command).chmod(0o755)


def test_without_apt_it_names_what_is_missing_and_changes_nothing(checkout: Path, bare_path: Path) -> None:
    done = set_up(checkout, bare_path)

    assert done.returncode == 1
    for thing in ("gcc: builds pyscard", "swig: builds pyscard", "npm: installs buf"):
        assert thing in done.stdout
    assert "there is no apt here" in done.stderr
    assert not (checkout / ".venv").exists()


def test_without_root_and_sudo_it_says_what_to_ask_the_administrator_for(
    checkout: Path, bare_path: Path
) -> None:
    fake(bare_path, "apt-get", "exit 99")
    fake(bare_path, "id", "echo 1000")

    done = set_up(checkout, bare_path)

    assert done.returncode == 1
    assert "not root and no sudo" in done.stderr
    assert "apt-get install gcc" in done.stderr


def test_with_sudo_it_installs_through_it_and_shows_why_apt_failed(checkout: Path, bare_path: Path) -> None:
    fake(bare_path, "id", "echo 1000")
    fake(bare_path, "sudo", 'exec "$@"')
    fake(bare_path, "apt-cache", "echo '  Candidate: 1.0'")
    fake(
        bare_path,
        "apt-get",
        'case "$1" in install) echo "E: Unable to fetch some archives" >&2; exit 100;; esac',
    )

    done = set_up(checkout, bare_path)

    assert done.returncode == 1
    assert "installs with apt: gcc" in done.stdout
    assert "apt failed:\nset-up: E: Unable to fetch some archives" in done.stderr


def test_a_package_that_apt_does_not_know_is_named_with_the_remedy(checkout: Path, bare_path: Path) -> None:
    fake(bare_path, "id", "echo 0")
    fake(bare_path, "apt-get", "exit 0")
    fake(bare_path, "apt-cache", "echo '  Candidate: (none)'")

    done = set_up(checkout, bare_path)

    assert done.returncode == 1
    assert "apt knows no package 'gcc' here" in done.stderr
    assert "add-apt-repository universe" in done.stderr


def test_elsewhere_than_on_linux_it_says_so(checkout: Path, bare_path: Path) -> None:
    fake(bare_path, "uname", "echo Darwin")

    done = set_up(checkout, bare_path)

    assert done.returncode == 1
    assert "this runs on Linux" in done.stderr
    assert "found Darwin" in done.stderr
