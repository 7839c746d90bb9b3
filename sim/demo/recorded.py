"""A day with real fingerprint images, from a directory with `manifest.csv`.

Its columns are path, subject, position, impression and dpi. The first impression of each subject enrols a
person with an invented identity; the next three come in under other identities. Rows of one subject with the
same impression number are fingers of one visit.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tunggal.common.v1.biometric_pb2 import FingerPosition

from services.common.errors import InvalidArgument
from sim import portrait, signature
from sim.demo.day import CapturedFinger, Day, Submission
from sim.population import Person, people

VISITS = 4
"""One that enrols and three that come again."""
MAX_FINGERS = 10
_COLUMNS = ("path", "subject", "position", "impression", "dpi")
_MAX_FILE_BYTES = 4 * 1024 * 1024
_NAMES = frozenset(name for name, value in FingerPosition.items() if value)


@dataclass(frozen=True)
class Row:
    """One image of the manifest; `position` is a value of `FingerPosition`."""

    path: Path
    subject: str
    position: int
    impression: str
    dpi: int


Subjects = dict[str, list[list[Row]]]
"""The visits of each subject, at most `VISITS`; a visit is one row a finger."""


def visits(subjects: Subjects) -> int:
    """How many submissions a day of these subjects has."""
    return sum(len(rows) for rows in subjects.values())


def recorded_day(
    subjects: Subjects, seed: int, region: str, captured: Callable[[str], None] = lambda _: None
) -> Day:
    """The day of the given subjects, in their order: all first visits, then all second ones, and so on."""
    everyone = people(len(subjects), seed, region)
    rounds: list[list[Submission]] = [[] for _ in range(VISITS)]
    for (subject, times), person in zip(subjects.items(), everyone, strict=True):
        face = portrait.draw(person)
        for time, rows in enumerate(times):
            identity = person if time == 0 else person.other_identity(time)
            rounds[time].append(_submission(subject, identity, face, rows))
            captured(f"{identity.full_name} (subject {subject}, impression {rows[0].impression})")
    return Day(tuple((submission,) for visit in rounds for submission in visit), real=True)


def read_manifest(directory: Path) -> Subjects:
    """The subjects of `directory`/manifest.csv, in its order, with their first `VISITS` impressions.

    Raises:
        InvalidArgument: the directory, its manifest or a file is not what it should be; names the line.
    """
    manifest = directory / "manifest.csv"
    if not directory.is_dir():
        raise _bad(f"{directory} is not a directory", "DIRECTORY_MISSING")
    if not manifest.is_file():
        raise _bad(f"{directory} has no manifest.csv", "MANIFEST_MISSING")
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            absent = [column for column in _COLUMNS if column not in (reader.fieldnames or [])]
            if absent:
                raise _bad(
                    f"{manifest} lacks the column{'s' * (len(absent) > 1)} {', '.join(absent)}",
                    "MANIFEST_INVALID",
                )
            rows = [_row(directory, line, record) for line, record in enumerate(reader, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad(f"{manifest} is not a CSV file in UTF-8: {error}", "MANIFEST_INVALID") from error
    if not rows:
        raise _bad(f"{manifest} names no image", "MANIFEST_INVALID")
    return _by_subject(rows)


def _row(directory: Path, line: int, record: dict[str, str | None]) -> Row:
    values = {column: (record[column] or "").strip() for column in _COLUMNS}
    where = f"manifest.csv, line {line}"
    for column in ("path", "subject", "impression"):
        if not values[column]:
            raise _bad(f"{where}: {column} is empty", "MANIFEST_INVALID")
    path = directory / values["path"]
    if not path.is_file():
        raise _bad(f"{where}: there is no file {values['path']}", "IMAGE_MISSING")
    if not 0 < path.stat().st_size <= _MAX_FILE_BYTES:
        raise _bad(
            f"{where}: {values['path']} has {path.stat().st_size} bytes, not 1 to {_MAX_FILE_BYTES}",
            "IMAGE_SIZE",
        )
    dpi = _number(values["dpi"])
    if not 200 <= dpi <= 2000:
        raise _bad(f"{where}: dpi is {values['dpi']!r}, not a number from 200 to 2000", "MANIFEST_INVALID")
    position = _position(values["position"], where)
    return Row(path, values["subject"], position, values["impression"], round(dpi))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _position(text: str, where: str) -> int:
    """A position as the ISO code (0 to 10) or by name, for example "unknown" or "right index"."""
    if text.isdecimal() and int(text) <= MAX_FINGERS:
        return int(text) + 1
    name = "FINGER_POSITION_" + (re.sub(r"[\s_-]+", "_", text.removesuffix(" finger")) or "unknown").upper()
    if name not in _NAMES:
        raise _bad(
            f"{where}: position {text!r} is neither 'unknown', a name such as 'right index', "
            "nor an ISO code from 0 to 10",
            "MANIFEST_INVALID",
        )
    return FingerPosition.Value(name)


def _by_subject(rows: list[Row]) -> Subjects:
    """The visits of each subject: its rows by impression, impressions in their natural order."""
    grouped: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        grouped.setdefault(row.subject, {}).setdefault(row.impression, []).append(row)
    return {
        subject: [_fingers(impressions[key]) for key in sorted(impressions, key=_natural)[:VISITS]]
        for subject, impressions in grouped.items()
    }


def _fingers(rows: list[Row]) -> list[Row]:
    """The rows of one visit: one of each known position, ten at most."""
    kept: dict[int, Row] = {}
    unknown: list[Row] = []
    for row in rows:
        if row.position == FingerPosition.FINGER_POSITION_UNKNOWN:
            unknown.append(row)
        elif row.position in kept:
            raise _bad(
                f"manifest.csv has the same finger of subject {row.subject}, impression {row.impression} "
                f"twice: {kept[row.position].path.name} and {row.path.name}",
                "MANIFEST_INVALID",
            )
        else:
            kept[row.position] = row
    return [*kept.values(), *unknown][:MAX_FINGERS]


def _natural(impression: str) -> tuple[int, str]:
    return (int(impression), "") if impression.isdecimal() else (10**9, impression)


def _submission(subject: str, identity: Person, face: bytes, rows: list[Row]) -> Submission:
    return Submission(
        key=f"{subject}/{rows[0].impression}",
        person=subject,
        biodata=identity.biodata(),
        fingers=tuple(CapturedFinger(row.position, row.path.read_bytes(), row.dpi) for row in rows),
        face=face,
        signature=signature.draw(identity),
    )


def _bad(message: str, reason: str) -> InvalidArgument:
    return InvalidArgument(
        reason,
        message,
        field="--fingerprints",
        remedy="Give a directory with manifest.csv (path,subject,position,impression,dpi) and its images.",
    )
