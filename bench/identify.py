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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import kernel_rate, population
from bench.codes import held_out
from bench.identify_gallery import write_gallery
from bench.identify_plot import draw, point
from bench.identify_searches import LIST, LISTS, Searches, search
from bench.kernel_rate import KernelRate
from bench.population import Population
from services.abis.finger import Finger
from services.abis.fingerprint import score
from services.abis.search import cascade, codes, local
from services.abis.search.codes import Codebook
from services.abis.search.index import SearchIndex, second_pass_persons
from services.abis.search.parameters import FULL_CODES, HOT_CODES, WORD_FINGERS
from services.abis.search.probe import first_codes, prepare, word_codes
from services.common.crypto import KEY_BYTES, KeyRing

FPIR = 0.01
"""Share of searches whose best stranger may pass; FNIR is reported at that threshold."""
_INSERTED = 200
_STREAMED = 10_000
_TIMED = 200
"""Searches on two threads, at most."""
_SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


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
        report["scaling"] = [point(one) for one in (*curve, report)]
        draw(plot, [*curve, report])
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
) -> tuple[Searches, float, int]:
    """Searches, seconds to open the index, and bytes of its tables; nothing of the index remains behind."""
    start = time.perf_counter()
    index = SearchIndex.open(folder, keys, book=book, threads=threads, words=words)
    load = time.perf_counter() - start
    # Waiting times need fewer searches than losses.
    mates = people.mates if threads == 1 else people.mates[:_TIMED]
    found = search(index, people, mates, book, weights)
    segments = index.first_pass([prepare(people.mates[0][1], book)], 1).segments
    tables = [part for segment in segments for part in segment.tables or () if part is not None]
    index.close()
    return found, load, sum(part.nbytes for part in tables)


def _stages(
    searches: dict[int, Searches], persons: int, fingers: int, *, words: bool
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


def _seconds(found: Searches) -> tuple[list[float], ...]:
    stages = (found.first, found.second, found.local, found.verification)
    return tuple(stage.seconds for stage in stages)


def _ms(waits: Sequence[float], percentile: float) -> float:
    return float(1000 * np.percentile(waits, percentile))


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
