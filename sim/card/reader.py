"""Private virtual readers: a pcscd of one's own with vpcd readers, beside any pcscd that the machine may run.

pcscd has its socket path `/run/pcscd` built in. So each bank starts its pcscd in a mount namespace of its own
where `/run/pcscd` is a directory of ours; clients find the socket through libpcsclite's
`PCSCLITE_CSOCK_NAME`. Root may make such a namespace where the container allows it; other users make one
inside a user namespace. Where neither is allowed and nobody else uses `/run/pcscd`, root's pcscd runs there
without a namespace.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

DRIVERS = (
    Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so"),
    Path("/usr/lib/x86_64-linux-gnu/pcsc/drivers/serial/libifdvpcd.so"),
    Path("/usr/lib/aarch64-linux-gnu/pcsc/drivers/serial/libifdvpcd.so"),
)
MAX_READERS = 16
"""pcscd's reader slots."""
START_SECONDS = 10.0

_SYSTEM_RUN = Path("/run/pcscd")
_SLOTS = 2
"""vpcd makes two slots of each driver copy, on neighbouring ports."""
_PORTS = range(20000, 32000)
"""Below the range that the kernel gives to outgoing connections, so that none of them takes a chosen port."""


class PcscMissingError(RuntimeError):
    """The machine cannot have virtual readers; the message names what is missing and how to get it."""


@dataclass(frozen=True)
class VirtualReader:
    """A reader: its PC/SC name, and the port where a `VirtualCard` is laid on it."""

    name: str
    port: int


class ReaderBank:
    """A pcscd with `count` virtual readers.

    Args:
        count: readers, at most `MAX_READERS`.
        directory: for the socket, the configuration and the log; a new temporary one, removed at the end,
            where left out. Only one bank at a time may use a directory. The path must be short (a UNIX socket
            lies in it).
        name: first part of the readers' names.

    Raises:
        PcscMissingError: pcscd, vpcd or the right to run a private pcscd is missing.
    """

    def __init__(self, count: int = 1, directory: Path | None = None, name: str = "Tunggal") -> None:
        if not 1 <= count <= MAX_READERS:
            raise ValueError(f"a pcscd has at most {MAX_READERS} readers")
        self._pcscd, self._driver = installed()
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="tunggal-pcsc-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._mode = _namespace_mode()
        self._run = _SYSTEM_RUN if self._mode == "direct" else self.directory.resolve() / "run"
        if len(str(self.socket)) > 107:
            raise PcscMissingError(f"{self.socket} is too long for a UNIX socket: choose a shorter directory")
        self._process: subprocess.Popen[bytes] | None = None
        self._name = name
        self._count = count
        self.readers: list[VirtualReader] = []

    @property
    def socket(self) -> Path:
        """The socket of this pcscd, for PCSCLITE_CSOCK_NAME."""
        return self._run / "pcscd.comm"

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment must hold before its first PC/SC call."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket)}

    @property
    def log(self) -> Path:
        """What pcscd printed."""
        return self.directory / "pcscd.log"

    @property
    def pid(self) -> int:
        """Process id of the running pcscd."""
        if self._process is None:
            raise RuntimeError("the bank is not started")
        return self._process.pid

    def start(self) -> Self:
        """Start pcscd on free ports and wait until its readers listen."""
        if not self.readers:
            self._configure(_free_ports(self._count))
        self._launch()
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """End this pcscd; remove the directory if it was temporary."""
        atexit.unregister(self.stop)
        self._end(signal.SIGTERM)
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self) -> None:
        """End this pcscd as a crash would: no farewell, its socket and pid file stay behind."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start pcscd again after `kill`, or end and start it: same readers, same ports. Cards must be
        inserted anew.
        """
        self._end(signal.SIGTERM)
        self._launch()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _configure(self, ports: list[int]) -> None:
        """One copy of the driver and one file a pair of slots: slots that share a file overwrite each
        other's cards.
        """
        folder = self.directory / "readers.d"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        entries = []
        for number, port in enumerate(ports):
            driver = self.directory.resolve() / f"vpcd-{number}.so"
            shutil.copyfile(self._driver, driver)
            entries.append(
                f'FRIENDLYNAME "{self._name} {number:02}"\n'
                f"DEVICENAME /dev/null:{port:#06x}\n"
                f"LIBPATH {driver}\n"
                f"CHANNELID {port:#06x}\n"
            )
        (folder / "vpcd").write_text("\n".join(entries))
        # pcscd adds a number that tells readers of one name apart, and the slot, both in hexadecimal.
        self.readers = [
            VirtualReader(f"{self._name} {number:02} 00 {slot:02X}", port + slot)
            for number, port in enumerate(ports)
            for slot in range(_SLOTS)
        ][: self._count]

    def _launch(self) -> None:
        self._end_left_over()
        self._run.mkdir(parents=True, exist_ok=True)
        for stale in ("pcscd.comm", "pcscd.pid"):
            (self._run / stale).unlink(missing_ok=True)
        pcscd = [str(self._pcscd), "--foreground", "--error", "--config", str(self._configuration)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_prefix(self._mode, self._run), *pcscd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.directory / "owned.pid").write_text(str(self._process.pid))
        self._await_ready(self._process)

    @property
    def _configuration(self) -> Path:
        return self.directory.resolve() / "readers.d"

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            sockets = _sockets_of(process.pid)
            listening = _listening()
            ours = {port for port, inode in listening.items() if inode in sockets}
            if self.socket.exists() and {reader.port for reader in self.readers} <= ours:
                return
            if process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                tail = self.log.read_text(errors="replace")[-600:].strip()
                raise PcscMissingError(f"pcscd did not start with its readers: {tail or 'no message'}")
            time.sleep(0.005)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _end_left_over(self) -> None:
        """End the pcscd that an earlier user of this directory was killed without ending, and no other
        process.
        """
        try:
            pid = int((self.directory / "owned.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except (OSError, ValueError):
            return
        if "pcscd" in command and str(self._configuration) in command.split("\0"):
            os.kill(pid, signal.SIGKILL)
            _until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 5)


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


def _namespace_mode() -> str:
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
    if _answers(_SYSTEM_RUN / "pcscd.comm"):
        raise PcscMissingError(
            "a pcscd is running and this container allows no namespace for a second one: end it, "
            "or allow CAP_SYS_ADMIN"
        )
    return "direct"


def _prefix(mode: str, run: Path) -> list[str]:
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


def _free_ports(readers: int) -> list[int]:
    """First ports of as many free pairs as `readers` need."""
    chosen: list[int] = []
    candidates = list(_PORTS[::_SLOTS])
    random.shuffle(candidates)
    for port in candidates:
        if len(chosen) * _SLOTS >= readers:
            return chosen
        if all(_is_free(port + slot) for slot in range(_SLOTS)):
            chosen.append(port)
    raise PcscMissingError("no free ports for virtual readers")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def _listening() -> dict[int, str]:
    """Listening TCP ports and the inode of each socket."""
    found: dict[int, str] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            found[int(fields[1].split(":")[1], 16)] = fields[9]
    return found


def _sockets_of(pid: int) -> set[str]:
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


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise PcscMissingError("a left-over pcscd does not end")
        time.sleep(0.01)
