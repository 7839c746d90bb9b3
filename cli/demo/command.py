"""`tunggal demo`: the options, the directory, and what is left when the day is over."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from cli.errors import readable
from cli.options import AsJson
from services.common.errors import FailedPrecondition, InvalidArgument

_MARK = ".tunggal-demo"


@readable
def demo(
    people: Annotated[
        int, typer.Option(min=1, max=2000, help="Synthetic people; about a fifth of them come twice.")
    ] = 20,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same people and the same day.")
    ] = 1,
    fingerprints: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Real images with manifest.csv instead; all of its subjects come."),
    ] = None,
    var: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the day is lived; made anew each time.")
    ] = Path("var/demo"),
    supervise: Annotated[bool, typer.Option(help="Start a service again when it dies.")] = True,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Empty databases to use instead of SQLite files, with {service} for the name of the"
            " service: postgresql+psycopg://user@host/{service}",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Live one day of a regency with the four services as processes, from the contract to the issued card.

    Ends with a table, report.json and report.html; exit code 0 only if every check holds.
    """
    if database is not None and "{service}" not in database:
        raise InvalidArgument(
            "DATABASE_SHARED",
            "the services would share one database",
            field="--database",
            remedy="Write {service} where its name differs by service.",
        )
    # What only this command needs is imported only here.
    from cli.demo import live, page, report
    from cli.demo.checks import check
    from cli.demo.console import Screen, summary
    from cli.demo.steps import REGION
    from sim.demo import recorded, synthetic

    make_day: live.MakeDay
    if fingerprints is not None:
        subjects = recorded.read_manifest(fingerprints)
        visits = recorded.visits(subjects)
        make_day = lambda captured: recorded.recorded_day(subjects, seed, REGION, captured)  # noqa: E731
    else:
        visits = synthetic.visits(people)
        make_day = lambda captured: synthetic.synthetic_day(people, seed, REGION, captured)  # noqa: E731

    console = Console(stderr=as_json)
    with _only_one(var), _ends_on_sigterm():
        try:
            with Screen(console) as screen:
                day = live.live(
                    var,
                    make_day,
                    visits,
                    seed=seed,
                    source=fingerprints.name if fingerprints else "",
                    supervise=supervise,
                    database=database,
                    screen=screen,
                )
        except KeyboardInterrupt:
            console.print("Interrupted; all services are ended.")
            raise typer.Exit(130) from None
        numbers = report.report(day)
        (var / "report.json").write_text(json.dumps(numbers, indent=2) + "\n")
        (var / "report.html").write_text(page.page(day))
    checks = check(day)
    console.print(*summary(numbers, checks), f"{var / 'report.html'}\n{var / 'report.json'}", sep="\n\n")
    if as_json:
        typer.echo(json.dumps(numbers))
    failed = [item for item in checks if not item.holds]
    for item in failed:
        Console(stderr=True, soft_wrap=True).print(
            f"failed: {item.name} ({item.seen})", style="red", markup=False
        )
    if failed:
        raise typer.Exit(1)


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Make `home` an empty directory of ours, for as long as nobody else lives a day there."""
    home.mkdir(parents=True, exist_ok=True)
    mark = home / _MARK
    if not mark.exists() and any(home.iterdir()):
        raise InvalidArgument(
            "DIRECTORY_IN_USE",
            f"{home} holds files that are not of a demo, and the demo would remove them",
            field="--var",
            remedy="Give a new or an empty directory.",
        )
    with mark.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FailedPrecondition(
                "DEMO_RUNNING",
                f"another demo runs in {home}",
                field="--var",
                remedy="Wait for its end, or give another directory.",
            ) from None
        for old in home.iterdir():
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            elif old != mark:
                old.unlink()
        yield


@contextlib.contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the day as Ctrl-C does: services first."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
