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
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sim.card.host import (
    SLOTS,
    SYSTEM_RUN,
    PcscMissingError,
    free_ports,
    installed,
    is_zombie,
    listening,
    namespace_mode,
    prefix,
    sockets_of,
    until,
)

MAX_READERS = 16
"""pcscd's reader slots."""
START_SECONDS = 20.0
STARTS = 3
"""A port that was free a moment ago may be another bank's by now."""

_HEIR = 'read _; kill "$1"; if [ -n "$2" ]; then rm -rf "$2"; fi'
"""Waits for the end of its input, which comes when we die in whatever way, and then ends pcscd in our
place.
"""


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
        self._mode = namespace_mode()
        self._run = SYSTEM_RUN if self._mode == "direct" else self.directory.resolve() / "run"
        if len(str(self.socket)) > 107:
            raise PcscMissingError(f"{self.socket} is too long for a UNIX socket: choose a shorter directory")
        self._process: subprocess.Popen[bytes] | None = None
        self._heir: subprocess.Popen[bytes] | None = None
        self._name = name
        self._count = count
        self._ports: list[int] = []
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
        for start in range(1, STARTS + 1):
            self._ports = free_ports(self._count)
            self._configure(self._count)
            try:
                self._launch()
                break
            except PcscMissingError:
                if start == STARTS:
                    raise
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

    def restart(self, count: int | None = None) -> None:
        """Start pcscd again after `kill`, or end and start it: same readers, same ports. Cards must be
        inserted anew. With `count`, only so many are there, as if the others had been unplugged; at the next
        restart they are back.
        """
        self._end(signal.SIGTERM)
        self._configure(self._count if count is None else count)
        self._launch()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _configure(self, count: int) -> None:
        """One copy of the driver and one file a pair of slots: slots that share a file overwrite each
        other's cards.
        """
        ports = self._ports[: -(-count // SLOTS)]
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
            for slot in range(SLOTS)
        ][:count]

    def _launch(self) -> None:
        self._end_left_over()
        self._run.mkdir(parents=True, exist_ok=True)
        for stale in ("pcscd.comm", "pcscd.pid"):
            (self._run / stale).unlink(missing_ok=True)
        pcscd = [str(self._pcscd), "--foreground", "--error", "--config", str(self._configuration)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix(self._mode, self._run), *pcscd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._heir = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                _HEIR,
                "sh",
                str(self._process.pid),
                str(self.directory) if self._temporary else "",
            ],
            stdin=subprocess.PIPE,
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
            opened = sockets_of(process.pid)
            found = listening()
            ours = {port for port, inode in found.items() if inode in opened}
            if self.socket.exists() and {reader.port for reader in self.readers} <= ours:
                return
            if process.poll() is not None or time.monotonic() > deadline:
                self._end(signal.SIGKILL)
                tail = self.log.read_text(errors="replace")[-600:].strip()
                raise PcscMissingError(f"pcscd did not start with its readers: {tail or 'no message'}")
            time.sleep(0.005)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        heir, self._heir = self._heir, None
        if heir is not None:
            heir.kill()
            heir.communicate()
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
            until(lambda: not Path(f"/proc/{pid}").exists() or is_zombie(pid), 5)
