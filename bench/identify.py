"""1:N search in a gallery of N people: the work behind `tunggal bench identify`.

The gallery is synthetic (`bench.population`), the search is the service's own (`services.abis.search`), from
the mapped files of an index. Rates are per core: persons (or fingers) of the gallery divided by the processor
time that a stage took. Waiting times are wall-clock, on one and on two threads.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import kernel_rate, population
from bench.codes import held_out
from bench.kernel_rate import KernelRate
from bench.population import Population
from services.abis.finger import Finger
from services.abis.fingerprint import score
from services.abis.kernels import F64, U8
from services.abis.search import cascade, codes, files, local
from services.abis.search.codes import Codebook
from services.abis.search.index import SearchIndex, second_pass_persons
from services.abis.search.parameters import FULL_CODES, HOT_CODES, WORD_FINGERS
from services.abis.search.probe import arrangements, first_codes, prepare, word_codes
from services.abis.search.tail import Tail
from services.common.crypto import KEY_BYTES, KeyRing

LIST = 10_000
"""Length of the list at which `stage1_loss` is reported."""
LISTS = (10_000, 1_000, 100, 10, 1)
"""Lengths of lists at which the loss of the two passes over codes is reported."""
FPIR = 0.01
"""Share of searches whose best stranger may pass; FNIR is reported at that threshold."""
_INSERTED = 200
_STREAMED = 10_000
MATE = "mate-"
"""Subject ids of those who are searched for begin so, and end with their number."""
_MATES = "mates"
_TIMED, _EXCHANGED = 200, 50
"""Searches on two threads, and searches with mixed-up positions, at most."""
_SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


@dataclass
class _Stage:
    """What one stage did, search by search. seconds: processor time; ranks: of the mate, from 0, or none."""

    seconds: list[float] = field(default_factory=list)
    ranks: list[int | None] = field(default_factory=list)

    def loss(self, length: int) -> float:
        """Share of mates outside the first `length`."""
        return float(np.mean([rank is None or rank >= length for rank in self.ranks]))


@dataclass
class _Searches:
    """All searches on one number of threads. waits: wall-clock seconds of all stages; of the first pass; of
    the first pass when positions may be mixed up.
    """

    first: _Stage = field(default_factory=_Stage)
    second: _Stage = field(default_factory=_Stage)
    local: _Stage = field(default_factory=_Stage)
    verification: _Stage = field(default_factory=_Stage)
    first_waits: list[float] = field(default_factory=list)
    exchanged_waits: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    mated: list[float] = field(default_factory=list)
    strangers: list[float] = field(default_factory=list)


def run(
    persons: int,
    fingers: int,
    probes: int,
    json_path: Path | None = None,
    plot: Path | None = None,
    mates: Path | None = None,
) -> dict[str, Any]:
    """Measure the search in a gallery of that many people and write what is asked for.

    Parameters
    ----------
    persons: size of the gallery. fingers: of each person, 1 to 10. probes: mated searches.
    json_path: the returned figures as JSON. plot: scaling curve from 10,000 people up to `persons`, in the
    format of the file's suffix. mates: folder with a `manifest.csv` whose real prints make the people that
    are searched for; synthetic ones if None. A set that the codes or weights were trained on is searched with
    those trained on the others.

    Returns
    -------
    The figures that `docs/search.md` explains. ValueError where the arguments make no gallery.
    """
    if not 1 <= fingers <= len(population.ORDER):
        raise ValueError(f"People have 1 to {len(population.ORDER)} fingers, not {fingers}.")
    if persons < 1 or probes < 1:
        raise ValueError(f"{probes} searches in a gallery of {persons} measure nothing.")
    name = "" if mates is None else mates.resolve().name
    book = held_out().get(name, codes.default())
    people = population.build(persons, fingers, probes, book, mates)
    kernel = kernel_rate.measure()
    report = _measured(people, book, score.held_out(name), kernel)
    report["mates"] = name or "synthetic"
    if plot is not None:
        sizes = [size for size in _SIZES if size < persons]
        # The first of the same people, so that nothing else changes.
        smaller = [replace(people, owned=people.owned[:size]) for size in sizes]
        curve = [_measured(some, book, score.held_out(name), kernel) for some in smaller]
        report["scaling"] = [_point(one) for one in (*curve, report)]
        _plot(plot, [*curve, report])
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _measured(
    people: Population, book: Codebook, weights: score.Weights, kernel: KernelRate
) -> dict[str, Any]:
    size, fingers = people.owned.shape
    with tempfile.TemporaryDirectory(prefix="tunggal-identify-") as scratch:
        keys = KeyRing("bench", {"bench": secrets.token_bytes(KEY_BYTES)})
        hot, cold = write_gallery(people, book, Path(scratch), keys)
        report = {
            "persons": size,
            "fingers": fingers,
            "probes": len(people.mates),
            "codebook": book.version,
            **_opened(people, book, weights, Path(scratch), keys, words=False),
            "stage1_list": LIST,
            "bytes_per_person": hot / size,
            "bytes_per_person_cold": cold / size,
            "inserts_per_second": _inserts(Path(scratch) / "inserts", keys, people, book),
            "lssr_pairs_per_second": _relaxations(people),
            "kernel": kernel.name,
            "kernel_fingers_per_second": kernel.fingers_per_second,
            "kernel_ceiling": kernel.ceiling,
            "kernel_ceiling_ratio": kernel.fingers_per_second / kernel.ceiling,
        }
        if fingers >= WORD_FINGERS:
            report["with_index"] = _opened(people, book, weights, Path(scratch), keys, words=True)
    return report


def _opened(
    people: Population, book: Codebook, weights: score.Weights, folder: Path, keys: KeyRing, *, words: bool
) -> dict[str, Any]:
    """Figures of searches in what was written, with an index of words or without."""
    opened = {
        threads: _on_threads(threads, people, book, weights, folder, keys, words=words) for threads in (1, 2)
    }
    searches = {threads: found for threads, (found, _, _) in opened.items()}
    _, load, table_bytes = opened[2]
    alone = searches[1]
    size, fingers = people.owned.shape
    total = float(np.median([sum(parts) for parts in zip(*_seconds(alone), strict=True)]))
    threshold = float(np.quantile(alone.strangers, 1 - FPIR, method="higher"))
    return {
        "persons_per_second_per_core": size / total,
        "fingers_per_second_per_core": size * fingers / total,
        "p50_ms": {str(n): _ms(found.waits, 50) for n, found in searches.items()},
        "p99_ms": {str(n): _ms(found.waits, 99) for n, found in searches.items()},
        "fnir": float(np.mean(np.array(alone.mated) < threshold)),
        "fnir_rank_1": alone.verification.loss(1),
        "threshold": threshold,
        "stage1_loss": alone.first.loss(LIST),
        "load_seconds": load,
        "index_bytes_per_person": table_bytes / size,
        "stages": _stages(searches, size, fingers, words=words),
    }


def _on_threads(
    threads: int,
    people: Population,
    book: Codebook,
    weights: score.Weights,
    folder: Path,
    keys: KeyRing,
    *,
    words: bool,
) -> tuple[_Searches, float, int]:
    """Searches, seconds to open the index, and bytes of its tables; nothing of the index remains behind."""
    start = time.perf_counter()
    index = SearchIndex.open(folder, keys, book=book, threads=threads, words=words)
    load = time.perf_counter() - start
    # Waiting times need fewer searches than losses.
    mates = people.mates if threads == 1 else people.mates[:_TIMED]
    found = _search(index, people, mates, book, weights)
    segments = index.first_pass([prepare(people.mates[0][1], book)], 1).segments
    tables = [part for segment in segments for part in segment.tables or () if part is not None]
    index.close()
    return found, load, sum(part.nbytes for part in tables)


def _stages(
    searches: dict[int, _Searches], persons: int, fingers: int, *, words: bool
) -> list[dict[str, Any]]:
    alone = searches[1]
    codes_in, local_in = min(second_pass_persons(fingers), persons), cascade.local_persons(fingers)
    kept = cascade.verified_persons(fingers)
    first = f"{first_codes(fingers)} x {HOT_CODES} codes of every finger"
    if words:
        first = f"votes for the words of {word_codes(fingers)} x {HOT_CODES} codes"
    named = [
        ("codes", first, persons, min(max(LIST, codes_in), persons), alone.first),
        ("all_codes", f"{FULL_CODES} x {FULL_CODES} codes", codes_in, local_in, alone.second),
        ("verification", "full comparison, fused", min(kept, persons), kept, alone.verification),
    ]
    if fingers <= cascade.FEW_FINGERS:
        named.insert(2, ("lssr", "local similarity, relaxed", min(local_in, persons), kept, alone.local))
    out = []
    for name, what, seen, most, stage in named:
        seconds = float(np.median(stage.seconds))
        out.append(
            {
                "stage": name,
                "what": what,
                "persons_in": seen,
                "persons_out": most,
                "core_ms": 1000 * seconds,
                "persons_per_second_per_core": seen / seconds,
                "fingers_per_second_per_core": seen * fingers / seconds,
                "loss": {str(length): stage.loss(length) for length in LISTS if length <= most},
            }
        )
    out[0]["exchanged_p50_ms"] = {str(n): _ms(found.exchanged_waits, 50) for n, found in searches.items()}
    out[0] |= {
        f"p{q}_ms": {str(n): _ms(found.first_waits, q) for n, found in searches.items()} for q in (50, 99)
    }
    return out


def _seconds(found: _Searches) -> tuple[list[float], ...]:
    stages = (found.first, found.second, found.local, found.verification)
    return tuple(stage.seconds for stage in stages)


def _ms(waits: Sequence[float], percentile: float) -> float:
    return float(1000 * np.percentile(waits, percentile))


def write_gallery(people: Population, book: Codebook, folder: Path, keys: KeyRing) -> tuple[int, int]:
    """Write the gallery as an index; bytes of its hot part (read by every search) and of the rest.

    Those who are searched for have a segment of their own, in which nobody is alive yet.
    """
    names, alive, hot, cold = [], [], 0, 0
    for k, segment in enumerate(people.segments()):
        names.append(f"segment-{k:06d}")
        files.write_segment(folder, names[-1], segment, keys)
        hot += sum(part.rows.nbytes + part.owners.nbytes for part in segment.partitions)
        hot += segment.alive.nbytes
        cold += segment.full.nbytes + segment.position.nbytes + segment.first.nbytes
        alive.append(segment.alive)
    mates = Tail()
    for number, (enrolled, _) in enumerate(people.mates):
        codes_of = [(f.position, codes.encode(f.template, book)) for f in enrolled]
        mates.append(f"{MATE}{number}", [(position, own) for position, own in codes_of if own.size])
    for name, segment in ((_MATES, mates.view()), ("tail", Tail().view())):
        files.write_segment(folder, name, segment, keys)
        alive.append(np.zeros(segment.persons, np.uint8))
    files.write_alive(folder, "alive", alive, keys)
    manifest = files.Manifest(codes.recipe(book), len(people.owned), "", (*names, _MATES), "tail", "alive")
    files.write_manifest(folder, manifest)
    return hot, cold


@contextmanager
def _timed(stage: _Stage) -> Iterator[None]:
    start = time.process_time()
    yield
    stage.seconds.append(time.process_time() - start)


def _search(
    index: SearchIndex,
    people: Population,
    mates: Sequence[tuple[list[Finger], list[Finger]]],
    book: Codebook,
    weights: score.Weights,
) -> _Searches:
    found = _Searches()
    # The first search brings caches and clocks up to speed.
    present = present_mates(index, mates, book)
    for number, (enrolled, probe) in enumerate(mates):
        mate = f"{MATE}{number}"
        present[:] = np.arange(present.size) == number
        references = _references(people, mate, enrolled)
        # Extraction ends with them.
        for finger in probe:
            _ = finger.template.cylinders
        start = time.perf_counter()
        with _timed(found.first):
            hands = [prepare(probe, book)]
            first = index.first_pass(hands, max(LIST, second_pass_persons(len(probe))))
        passed = time.perf_counter()
        with _timed(found.second):
            second = index.second_pass(first.head(second_pass_persons(len(probe))), hands)
            listed = second.candidates(cascade.local_persons(len(probe)))
        with _timed(found.local):
            last = cascade.relist(index, probe, listed, references)
        with _timed(found.verification):
            subjects = [candidate.subject for candidate in last]
            confirmed = cascade.confirm(index, probe, subjects, references, weights)
        found.waits.append(time.perf_counter() - start)
        found.first_waits.append(passed - start)
        if number < _EXCHANGED:
            before = time.perf_counter()
            index.first_pass(arrangements(hands[0]), second_pass_persons(len(probe)))
            found.exchanged_waits.append(time.perf_counter() - before)
        found.first.ranks.append(_rank(mate, [c.subject for c in first.candidates(LIST)]))
        found.second.ranks.append(_rank(mate, [c.subject for c in second.candidates(len(second.person))]))
        found.local.ranks.append(_rank(mate, [c.subject for c in last]))
        found.verification.ranks.append(_rank(mate, [one.subject_id for one in confirmed]))
        scores = {one.subject_id: one.fused.score for one in confirmed}
        found.mated.append(scores.pop(mate, -np.inf))
        found.strangers.append(max(scores.values(), default=-np.inf))
    return found


def present_mates(
    index: SearchIndex, mates: Sequence[tuple[list[Finger], list[Finger]]], book: Codebook
) -> U8:
    """Flags by which those who are searched for come and go: 1 for each who is in the gallery."""
    segments = index.first_pass([prepare(mates[0][1], book)], 1).segments
    return next(s.alive for s in segments if s.persons and s.names.get(0) == f"{MATE}0")


def _references(people: Population, mate: str, enrolled: list[Finger]) -> cascade.References:
    def fingers(subjects: Sequence[str], positions: Collection[int] | None) -> list[list[Finger]]:
        found = [enrolled if subject == mate else people.fingers(int(subject)) for subject in subjects]
        return [[f for f in own if positions is None or f.position in positions] for own in found]

    return fingers


def _rank(mate: str, subjects: Sequence[str]) -> int | None:
    return subjects.index(mate) if mate in subjects else None


def _relaxations(people: Population) -> float:
    """Pairs of fingers that one core compares by LSSR in a second, streaming through packed fingers."""
    packed = local.pack(people.templates[:_STREAMED])
    rate = 0.0
    for _ in range(3):
        start = time.thread_time()
        local.scores(people.mates[0][1][0].template, packed)
        rate = max(rate, (packed.start.size - 1) / (time.thread_time() - start))
    return rate


def _inserts(folder: Path, keys: KeyRing, people: Population, book: Codebook) -> float:
    """People a second that one thread enrols into an index, from templates, cylinders included."""
    index = SearchIndex.open(folder, keys, book=book, threads=1)
    # A fresh template has to build its cylinders, as after extraction.
    fresh = [
        [Finger(f.position, replace(f.template)) for f in people.fingers(person)]
        for person in range(min(_INSERTED, len(people.owned)))
    ]
    start = time.process_time()
    for sequence, own in enumerate(fresh, 1):
        index.insert(f"fresh-{sequence}", own, sequence)
    seconds = time.process_time() - start
    index.close()
    return len(fresh) / seconds


def _point(report: dict[str, Any]) -> dict[str, Any]:
    """What the scaling curve shows of one size."""
    point = {key: report[key] for key in ("persons", "p50_ms", "p99_ms", "persons_per_second_per_core")}
    point["first_pass"] = {key: report["stages"][0][key] for key in ("core_ms", "loss")}
    if "with_index" in report:
        indexed = report["with_index"]
        point["with_index"] = {key: indexed[key] for key in ("p50_ms", "persons_per_second_per_core")}
        point["with_index"]["core_ms"] = indexed["stages"][0]["core_ms"]
    return point


def _plot(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """Waiting time and loss over the number of people."""
    from matplotlib.figure import Figure

    sizes: F64 = np.array([report["persons"] for report in reports], np.float64)
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    time_axes, loss_axes = figure.subplots(1, 2)
    for threads in ("1", "2"):
        time_axes.plot(
            sizes, [r["p50_ms"][threads] for r in reports], "o-", label=f"p50, {threads} thread(s)"
        )
        time_axes.plot(
            sizes, [r["p99_ms"][threads] for r in reports], "^--", label=f"p99, {threads} thread(s)"
        )
    time_axes.set(xscale="log", yscale="log", xlabel="people", ylabel="ms a search", title="All stages")
    if "with_index" in reports[-1]:
        waits = [r["with_index"]["p50_ms"]["1"] for r in reports]
        time_axes.plot(sizes, waits, "s-.", label="p50, 1 thread, index of words")
    least = 0.5 / reports[-1]["probes"]
    for length in (1_000, 100, 10):
        values = [r["stages"][0]["loss"].get(str(length), 0.0) for r in reports]
        loss_axes.plot(sizes, np.maximum(values, least), "o-", label=f"outside the first {length:,}")
    loss_axes.set(xscale="log", yscale="log", xlabel="people", ylabel="share of mates", title="First pass")
    for axes in (time_axes, loss_axes):
        axes.grid(visible=True, which="both", alpha=0.25)
        axes.legend(fontsize="small")
    figure.suptitle(f"1:N search, {reports[-1]['fingers']} fingers a person (loss 0 is drawn at half a mate)")
    figure.savefig(path)
