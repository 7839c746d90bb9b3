"""What this machine has for virtual readers: programs, namespaces, ports, and sight of its processes."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

DRIVERS = (
    Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so"),
    Path("/usr/lib/x86_64-linux-gnu/pcsc/drivers/serial/libifdvpcd.so"),
    Path("/usr/lib/aarch64-linux-gnu/pcsc/drivers/serial/libifdvpcd.so"),
)
SYSTEM_RUN = Path("/run/pcscd")
"""Where a pcscd has its socket."""
SLOTS = 2
"""vpcd makes two slots of each driver copy, on neighbouring ports."""
_PORTS = range(20000, 32000)
"""Below the range that the kernel gives to outgoing connections, so that none of them takes a chosen port."""


class PcscMissingError(RuntimeError):
    """The machine cannot have virtual readers; the message names what is missing and how to get it."""


def installed() -> tuple[Path, Path]:
    """Paths of pcscd and of the vpcd driver.

    Raises:
        PcscMissingError: naming the Debian package that has them.
    """
    pcscd = shutil.which("pcscd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    driver = next((path for path in DRIVERS if path.exists()), None)
    missing = [name for name, found in (("pcscd", pcscd), ("vsmartcard-vpcd", driver)) if not found]
    if pcscd is None or driver is None:
        raise PcscMissingError(
            f"virtual readers need {' and '.join(missing)}: apt-get install {' '.join(missing)}"
        )
    return Path(pcscd), driver


def namespace_mode() -> str:
    """How a private pcscd can run here: "mount", "user" or "direct"."""
    unshare = shutil.which("unshare")
    for mode, flags in (("mount", ["-m"]), ("user", ["-Urm"])):
        if mode == "mount" and os.geteuid() != 0:
            continue
        probe = ["mount", "-t", "tmpfs", "tmpfs", "/run"]
        if (
            unshare
            and subprocess.run([unshare, *flags, *probe], check=False, capture_output=True).returncode == 0
        ):
            return mode
    if os.geteuid() != 0:
        raise PcscMissingError(
            "a private pcscd needs a user namespace, which this machine refuses: run as root, "
            "or allow them (sysctl kernel.unprivileged_userns_clone=1)"
        )
    if _answers(SYSTEM_RUN / "pcscd.comm"):
        raise PcscMissingError(
            "a pcscd is running and this container allows no namespace for a second one: end it, "
            "or allow CAP_SYS_ADMIN"
        )
    return "direct"


def prefix(mode: str, run: Path) -> list[str]:
    """What to put before a command so that it sees `run` as /run/pcscd, in a mode of `namespace_mode`."""
    if mode == "direct":
        return []
    flags = ["-m"] if mode == "mount" else ["-Urm"]
    # A fresh /run hides the real one, so that /run/pcscd can be made without touching the machine. The bind
    # source is # opened first: it may lie under /run itself.
    script = (
        'exec 9<"$1" && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && '
        'mount --bind /proc/self/fd/9 /run/pcscd && exec 9<&- && shift && exec "$@"'
    )
    return ["unshare", *flags, "sh", "-c", script, "sh", str(run)]


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def free_ports(readers: int) -> list[int]:
    """First ports of as many free pairs as `readers` need."""
    chosen: list[int] = []
    candidates = list(_PORTS[::SLOTS])
    random.shuffle(candidates)
    for port in candidates:
        if len(chosen) * SLOTS >= readers:
            return chosen
        if all(_is_free(port + slot) for slot in range(SLOTS)):
            chosen.append(port)
    raise PcscMissingError("no free ports for virtual readers")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def listening() -> dict[int, str]:
    """Listening TCP ports and the inode of each socket."""
    found: dict[int, str] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            found[int(fields[1].split(":")[1], 16)] = fields[9]
    return found


def sockets_of(pid: int) -> set[str]:
    """Inodes of a process's sockets."""
    inodes = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    except OSError:
        pass  # it ended, or closed one while we looked
    return inodes


def is_zombie(pid: int) -> bool:
    """Whether a process has ended, though nobody asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition.

    Raises:
        PcscMissingError: it does not come.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise PcscMissingError("a left-over pcscd does not end")
        time.sleep(0.01)
