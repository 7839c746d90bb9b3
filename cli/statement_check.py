"""Published statements from files, checked as chains: with nothing but the files and the keys one trusts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from services.common.errors import InvalidArgument
from services.inventory.statement.content import digest
from services.inventory.statement.signing import key_id
from services.inventory.statement.verify import Published, faults


@dataclass(frozen=True)
class Chain:
    """What there is of one location: days and numbers from the first to the last, and the hash of the last.

    Whoever has that hash from elsewhere, from yesterday's look at the page for one, knows that no day up to
    it was changed or taken away.
    """

    location: str
    first_day: str
    last_day: str
    first_number: int
    last_number: int
    head: str


@dataclass
class Findings:
    """What is wrong, and what the files alone cannot tell."""

    statements: int = 0
    chains: list[Chain] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def trusted_keys(paths: Iterable[Path]) -> dict[str, bytes]:
    """Public keys by their id, from PEM files and folders of them; raises :class:`InvalidArgument`."""
    found = {}
    for path in paths:
        for file in sorted(path.glob("*.pem")) if path.is_dir() else [path]:
            pem = file.read_bytes()
            try:
                found[key_id(pem)] = pem
            except ValueError as error:
                raise InvalidArgument(
                    "KEY_MALFORMED",
                    f"{file} is no Ed25519 public key",
                    field="key",
                    remedy="Use the key.pem that is published with the statements, or GetStatementKey.",
                ) from error
    if not found:
        raise InvalidArgument(
            "KEY_MISSING", "there is no .pem in this folder", field="key", remedy="Name the public key."
        )
    return found


def check(
    paths: Iterable[Path], keys: Mapping[str, bytes], through: str = "", noted: Sequence[str] = ()
) -> Findings:
    """Check the statements in files and folders. A chain that ends before the day ``through`` is a fault, and
    so is a ``noted`` hash, or its beginning, that no statement has.
    """
    found = Findings()
    by_location: dict[str, set[Published]] = defaultdict(set)
    for file in _files(paths):
        try:
            published = Published.from_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            found.faults.append(f"{file}: {error}")
        else:
            by_location[str(published.statement.get("location"))].add(published)
    if not by_location:
        raise InvalidArgument(
            "NO_STATEMENT", found.faults[0], field="FILE", remedy="Name the .json files that were published."
        )
    found.statements = sum(map(len, by_location.values()))
    for location, statements in sorted(by_location.items()):
        chain = sorted(statements, key=lambda each: (str(each.statement.get("day")), each.content))
        found.faults += faults(chain, keys)
        first, last = chain[0].statement, chain[-1].statement
        try:
            ends = Chain(
                location,
                *(str(first["day"]), str(last["day"])),
                *(int(first["sequence"]), int(last["sequence"])),
                digest(chain[-1].content),
            )
        except (KeyError, TypeError, ValueError):
            continue  # told as a fault above
        found.chains.append(ends)
        if through and ends.last_day < through:
            found.faults.append(f"{location}: ends on {ends.last_day}, days up to {through} are missing")
        key_days = [(each.key_id, each.statement["day"]) for each in chain]
        found.notes += [
            f"{location}: from {day} on signed with another key, {key[:16]}…"
            for (before, _), (key, day) in pairwise(key_days)
            if key != before
        ]
    found.notes += _open_ends(found.chains)
    hashes = {digest(each.content) for statements in by_location.values() for each in statements}
    found.faults += [
        f"{given}: no statement here has this hash: the one that had it was changed, or is not here"
        for given in noted
        if not any(known.startswith(_hash(given)) for known in hashes)
    ]
    return found


def _hash(noted: str) -> str:
    """A hash as somebody wrote it down, whole or as it is shown; raises :class:`InvalidArgument`."""
    plain = noted.strip().rstrip("…").lower()
    if re.fullmatch("[0-9a-f]{16,64}", plain):
        return plain
    raise InvalidArgument(
        "HASH_MALFORMED",
        f"{noted!r} is no hash of a statement",
        field="--noted",
        remedy="Write the first 16 characters or more of what verify showed.",
    )


def _open_ends(chains: list[Chain]) -> list[str]:
    """Every location has a statement each day from its first on: one that ends early lacks some."""
    latest = max((chain.last_day for chain in chains), default="")
    notes = []
    for chain in chains:
        if chain.first_number > 1:
            notes.append(
                f"{chain.location}: begins with no. {chain.first_number}; what was before is not here"
            )
        if chain.last_day < latest:
            notes.append(f"{chain.location}: ends on {chain.last_day}, others have days up to {latest}")
    return notes


def _files(paths: Iterable[Path]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise InvalidArgument(
            "NO_STATEMENT", "there is no statement in these folders", field="FILE", remedy="Name .json files."
        )
    return files
