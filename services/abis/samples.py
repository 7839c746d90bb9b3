"""Submitted samples to fingers: images are extracted (side by side), interchange records are read."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.finger import UNKNOWN, Finger, require_distinct
from services.abis.fingerprint import image, nfiq2
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.interchange import from_record
from services.abis.fingerprint.template import Template
from services.abis.formats import finger_record
from services.abis.formats.image_container import unpack
from services.common.errors import InvalidArgument

_ISO_OFFSET = 1
"""FingerPosition is the ISO code plus one, so that zero can stay "unspecified"."""
_RECENT = 256
"""Templates of images kept for the next call, about 20 kB each."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A finger, and how many pixels of the submitted sample one pixel at 500 dpi is."""

    finger: Finger
    scale_x: float
    scale_y: float


def position_code(position: int) -> int:
    """ISO code of a FingerPosition."""
    return position - _ISO_OFFSET


def position_value(code: int) -> int:
    """FingerPosition of an ISO code."""
    return code + _ISO_OFFSET


class Reader:
    """Reads samples on a pool of threads of its own, so that ten fingers take little longer than one.

    Extraction costs a hundred comparisons, and enrolment sends the same images twice within a second, for
    the chip and for deduplication; so does everybody who retries. The last templates are therefore kept,
    under the digest of their image.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="extract")
        self._recent: OrderedDict[tuple[bytes, float], Template] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def fingers(self, messages: Sequence[pb.FingerSample], *, field: str = "fingers") -> list[Finger]:
        """Fingers of one person; InvalidArgument names the sample that cannot be used and why."""
        require_distinct([position_code(m.position) for m in messages], field=field)
        return [sample.finger for sample in self.samples(messages, field=field)]

    def samples(self, messages: Sequence[pb.FingerSample], *, field: str = "fingers") -> list[Sample]:
        """Samples in their order; the first one that cannot be used raises InvalidArgument."""
        jobs = [self._pool.submit(self._read, m, f"{field}[{k}]") for k, m in enumerate(messages)]
        return [job.result() for job in jobs]

    def nfiq2(self, messages: Sequence[pb.FingerSample]) -> list[int | None]:
        """NFIQ 2 scores of samples that could be read; None for those without an image or without a score."""
        return [job.result() for job in [self._pool.submit(_nfiq2, m) for m in messages]]

    def _read(self, message: pb.FingerSample, field: str) -> Sample:
        if message.WhichOneof("data") != "image":
            return _read_record(message, field)
        dpi = float(message.image.dpi)
        packed = unpack(message.image.content, field=f"{field}.image.content")
        _require_same_position(message, packed.position if packed else UNKNOWN, field)
        template = self._template(message.image.content, dpi, f"{field}.image.content")
        scale = 1.0 / image.scale(dpi)
        return Sample(Finger(position_code(message.position), template), scale, scale)

    def _template(self, content: bytes, dpi: float, field: str) -> Template:
        key = (hashlib.sha256(content).digest(), dpi)
        with self._lock:
            if (known := self._recent.get(key)) is not None:
                self._recent.move_to_end(key)
                return known
        template = extract(content, dpi, field=field)
        with self._lock:
            self._recent[key] = template
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return template


def _nfiq2(message: pb.FingerSample) -> int | None:
    if message.WhichOneof("data") != "image":
        return None
    return nfiq2.score(image.decode(message.image.content, float(message.image.dpi)))


def _read_record(message: pb.FingerSample, field: str) -> Sample:
    path = f"{field}.iso19794_2_record"
    fingers = finger_record.read(message.iso19794_2_record, field=path)
    template = from_record(fingers, field=path)
    record = fingers[0]
    _require_same_position(message, record.position, field)
    position = position_code(message.position)
    return Sample(Finger(position, template), record.width / template.width, record.height / template.height)


def _require_same_position(message: pb.FingerSample, claimed: int, field: str) -> None:
    """What the record says of the finger must not contradict the request: fingers get swapped."""
    position = position_code(message.position)
    if UNKNOWN not in (claimed, position) and claimed != position:
        raise InvalidArgument(
            "POSITION_CONTRADICTED",
            f"The sample is declared as finger {position}, its record says {claimed}.",
            field=f"{field}.position",
            remedy="Find out which finger it is, or mark the sample as of unknown position.",
        )
