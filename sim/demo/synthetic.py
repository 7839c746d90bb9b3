"""A day of synthetic people: each with fingers, a face and a signature; some of them come twice."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from sim import fingerprints, portrait, signature
from sim.demo.day import CapturedFinger, Day, Submission, interleave
from sim.population import Person, people

POSITIONS = (1, 2, 6, 7)
"""Both thumbs and both index fingers, as ISO/IEC 19794-2 counts: enough to tell people apart, and quick."""

TWICE_SHARE = 0.2
"""Share of people who come a second time under another name."""
TWICE_AT_LEAST = 2
_SECOND_COUNTER = 0
"""In place of the number of a visit; those count from 1."""


def visits(number: int) -> int:
    """How many submissions a day of `number` people has."""
    return number + _times_again(number) + 1


def synthetic_day(
    number: int, seed: int, region: str, captured: Callable[[str], None] = lambda _: None
) -> Day:
    """A day on which `number` different people of `region` come.

    About a fifth of them come again later with another NIK and another name, and one stands at two counters
    at the same moment. `captured` is told the name of each visitor as the images are made.
    """
    rng = random.Random(seed)
    everyone = people(number, seed, region)
    quick = rng.randrange(number)
    again = _again(everyone, quick, rng)
    captures = [(person, 1, str(person.human)) for person in everyone]
    captures += [(person.other_identity(time), time + 1, str(person.human)) for person, time in again]
    # The one at two counters: other prints at the second one, under another identity.
    captures.append(
        (everyone[quick].other_identity(_SECOND_COUNTER), _SECOND_COUNTER, str(everyone[quick].human))
    )
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="capture") as pool:
        submissions = []
        for submission in pool.map(lambda each: _capture(*each), captures):
            submissions.append(submission)
            captured(submission.biodata.full_name)
    firsts = [(submission,) for submission in submissions[:number]]
    arrivals: list[tuple[Submission, ...]] = list(firsts)
    arrivals[quick] = (submissions[quick], submissions[-1])
    return Day(interleave(arrivals, submissions[number:-1], rng), real=False)


def encoded(image: Image.Image) -> bytes:
    """The image as a PNG file."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _again(everyone: Sequence[Person], quick: int, rng: random.Random) -> Iterable[tuple[Person, int]]:
    """Who comes again, and the how manieth further time that is."""
    others = [person for index, person in enumerate(everyone) if index != quick] or list(everyone)
    rng.shuffle(others)
    return [
        (others[index % len(others)], 1 + index // len(others))
        for index in range(_times_again(len(everyone)))
    ]


def _times_again(number: int) -> int:
    return max(TWICE_AT_LEAST, round(TWICE_SHARE * number))


def _capture(person: Person, touch: int, human: str) -> Submission:
    """One visit; each `touch` gives other impressions of the same fingers."""
    return Submission(
        key=f"{human}/{touch}",
        person=human,
        biodata=person.biodata(),
        fingers=tuple(_finger(person.human, position, touch) for position in POSITIONS),
        face=portrait.draw(person),
        signature=signature.draw(person),
    )


def _finger(human: int, position: int, touch: int) -> CapturedFinger:
    finger = fingerprints.master(human, position)
    image = Image.fromarray(fingerprints.impression(finger, touch))
    # The contract's enumeration is the ISO code plus one.
    return CapturedFinger(position + 1, encoded(image), fingerprints.DPI)
