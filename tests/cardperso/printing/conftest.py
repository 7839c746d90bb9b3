"""A print service of our own: cupsd in a directory, with a backend that behaves as a card printer does."""

from __future__ import annotations

import getpass
import grp
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cardperso.card_makers import eventually

QUEUE = "cards"
_CUPSD = shutil.which("cupsd", path="/usr/sbin:/usr/bin:/sbin")
# Its printer does what the file "mood" says, and keeps what it prints.
_BACKEND = """#!/bin/sh
[ $# -eq 0 ] && echo 'direct card "Card printer" "Card printer on a desk"' && exit 0
mood=$(cat {home}/mood)
case $mood in
ribbon) echo "STATE: +marker-supply-empty-error" >&2; exit 4 ;;
cards) echo "STATE: +media-empty-error" >&2; exit 4 ;;
cover) echo "STATE: +cover-open-error" >&2; exit 4 ;;
offline) echo "STATE: +offline-error" >&2; exit 4 ;;
jam) exit 5 ;;
esac
echo "STATE: -marker-supply-empty-error,media-empty-error,cover-open-error,offline-error" >&2
if [ -n "$6" ]; then cat "$6"; else cat; fi > {home}/printed/"$3".pdf
"""


@dataclass
class PrintService:
    """A running cupsd; `server` is the path of its socket."""

    home: Path
    server: str

    def mood(self, word: str) -> None:
        """What the printer does from now on: "good", "ribbon", "cards", "cover", "offline", "jam"."""
        (self.home / "mood").write_text(word)

    def printed(self) -> list[str]:
        """Names of what was printed."""
        return sorted(path.stem for path in (self.home / "printed").iterdir())

    def run(self, *command: str) -> None:
        """A command of CUPS."""
        environment = os.environ | {"CUPS_SERVER": self.server, "LC_ALL": "C"}
        subprocess.run(command, check=True, capture_output=True, env=environment)


@pytest.fixture(scope="session")
def cupsd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrintService]:
    """The print service with one card printer, for all tests."""
    if _CUPSD is None or shutil.which("lpadmin", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("CUPS is not installed (packages cups-daemon and cups-client)")
    if importlib.util.find_spec("cups") is None:
        pytest.skip("pycups is not installed")
    home = tmp_path_factory.mktemp("cups")
    for name in (
        "root",
        "spool",
        "cache",
        "state",
        "temp",
        "bin/backend",
        "bin/filter",
        "data/mime",
        "data/banners",
        "printed",
    ):
        (home / name).mkdir(parents=True)
    (home / "bin/daemon").symlink_to("/usr/lib/cups/daemon")
    (home / "data/mime/mime.types").write_text("application/pdf pdf string(0,%PDF)\n")
    backend = home / "bin/backend/card"
    backend.write_text(_BACKEND.format(home=home))
    # CUPS runs a backend with the daemon's own rights only where nobody else may read it.
    backend.chmod(0o700)
    group = grp.getgrgid(os.getgid()).gr_name
    system_group = "lpadmin" if group == "root" else group
    # A socket's path has 107 characters at most, fewer than pytest's directories may have.
    socket = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"tunggal-cups-{os.getpid()}.sock"
    (home / "root/cupsd.conf").write_text(
        f"Listen {socket}\nLogLevel debug\nMaxLogSize 0\nBrowsing Off\nDefaultAuthType None\n"
        "WebInterface No\nPreserveJobHistory Yes\nErrorPolicy stop-printer\nJobRetryInterval 1\n"
        "<Location />\nOrder allow,deny\nAllow all\n</Location>\n<Location /admin>\nOrder allow,deny\n"
        "Allow all\n</Location>\n"
        "<Policy default>\n<Limit All>\nOrder allow,deny\nAllow all\n</Limit>\n</Policy>\n"
    )
    (home / "root/cups-files.conf").write_text(
        f"ServerRoot {home}/root\nServerBin {home}/bin\nDataDir {home}/data\nRequestRoot {home}/spool\n"
        f"CacheDir {home}/cache\nStateDir {home}/state\nTempDir {home}/temp\nAccessLog {home}/access.log\n"
        f"ErrorLog {home}/error.log\nPageLog {home}/page.log\nSystemGroup {system_group}\nFileDevice Yes\n"
        f"User {getpass.getuser() if os.getuid() else 'lp'}\nGroup {group if os.getuid() else 'lp'}\n"
        "Sandboxing relaxed\n"
    )
    command = [_CUPSD, "-f", "-c", str(home / "root/cupsd.conf"), "-s", str(home / "root/cups-files.conf")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: socket.exists() or process.poll() is not None, 60)
            if process.poll() is not None:
                pytest.fail(f"cupsd has ended: {(home / 'error.log').read_text()[-2000:]}")
            service = PrintService(home, str(socket))
            service.mood("good")
            service.run(
                "/usr/sbin/lpadmin",
                "-p",
                QUEUE,
                "-v",
                "card://desk",
                "-E",
                "-o",
                "printer-error-policy=stop-printer",
            )
            yield service
        finally:
            process.terminate()
            process.wait(30)
            socket.unlink(missing_ok=True)


@pytest.fixture
def print_service(cupsd: PrintService) -> PrintService:
    """The print service with a printer in good order."""
    cupsd.mood("good")
    cupsd.run("/usr/bin/cancel", "-a", "-x")
    cupsd.run("/usr/sbin/cupsenable", QUEUE)
    cupsd.run("/usr/sbin/cupsaccept", QUEUE)
    return cupsd
