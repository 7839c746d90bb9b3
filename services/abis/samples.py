"""Submitted samples to fingers: images are extracted (side by side), interchange records are read."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.finger import Finger, require_distinct
from services.abis.fingerprint import image, nfiq2
from services.abis.fingerprint.extract import extract_pixels
from services.abis.fingerprint.interchange import from_record, quality_of
from services.abis.fingerprint.template import Template
from services.abis.formats.finger_image import PackedImage
from services.abis.formats.minutiae import FingerMinutiae
from services.abis.kernels import U8
from services.abis.views import View, Views, finger_of, fingers_of
from services.common.errors import InvalidArgument

_Key = tuple[bytes, PackedImage | None, float]
"""Digest of an image's bytes, what its container says of it, and the declared resolution."""
_RECENT = 256
"""Templates of images kept for the next call, about 20 kB each."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A finger, and how many pixels of the submitted sample one pixel at 500 dpi is.

    field: path of the sample in the request; view: what the template was made of.
    """

    finger: Finger
    scale_x: float
    scale_y: float
    field: str
    view: View


class Reader:
    """Reads samples on a pool of threads of its own, so that ten fingers take little longer than one.

    Extraction costs a hundred comparisons, and enrolment sends the same images twice within a second, for
    the chip and for deduplication; so does everybody who retries. The last templates are therefore kept,
    under the digest of their image.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="extract")
        self._recent: OrderedDict[_Key, Template] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def person(self, messages: Sequence[pb.FingerSample], *, field: str = "fingers") -> list[Sample]:
        """Fingers of one person, each known position once; InvalidArgument names the sample that cannot be
        used and why.
        """
        found = fingers_of(messages, field=field)
        require_distinct([one.position for one in found], [one.field for one in found])
        return self._read(found)

    def samples(self, messages: Sequence[pb.FingerSample], *, field: str = "fingers") -> list[Sample]:
        """Fingers in their order; the first one that cannot be used raises InvalidArgument."""
        return self._read(fingers_of(messages, field=field))

    def sample(self, message: pb.FingerSample, *, field: str) -> Sample:
        """The one finger of a sample; InvalidArgument as of `samples`, and where there are several."""
        return self._read([finger_of(message, field=field)])[0]

    def nfiq2(self, samples: Sequence[Sample]) -> list[int | None]:
        """NFIQ 2 scores of samples; None for those without an image or without a score."""
        return [job.result() for job in [self._pool.submit(_nfiq2, sample) for sample in samples]]

    def _read(self, found: Sequence[Views]) -> list[Sample]:
        jobs = [[self._pool.submit(self._sample, one, view) for view in one.views] for one in found]
        return [_best(views) for views in jobs]

    def _sample(self, finger: Views, view: View) -> Sample:
        try:
            template, scale_x, scale_y = self._template(view)
        except InvalidArgument as error:
            raise _placed(error, view) from error
        return Sample(Finger(finger.position, template), scale_x, scale_y, finger.field, view)

    def _template(self, view: View) -> tuple[Template, float, float]:
        """The template of a view, and pixels of the view across and down in one of its pixels."""
        if isinstance(view.source, FingerMinutiae):
            template = from_record(view.source, field=view.path)
            return template, view.source.width / template.width, view.source.height / template.height
        scale = 1.0 / image.scale(view.dpi)
        packed = view.source if isinstance(view.source, PackedImage) else None
        content = view.source if isinstance(view.source, bytes) else view.source.content
        key = hashlib.sha256(content).digest(), packed and replace(packed, content=b""), view.dpi
        with self._lock:
            if (known := self._recent.get(key)) is not None:
                self._recent.move_to_end(key)
                return known, scale, scale
        template = extract_pixels(_pixels(view), field=view.path)
        with self._lock:
            self._recent[key] = template
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        return template, scale, scale


def _pixels(view: View) -> U8:
    if isinstance(view.source, PackedImage):
        return image.decode_packed(view.source, view.dpi, field=view.path)
    assert isinstance(view.source, bytes)
    return image.decode(view.source, view.dpi, field=view.path)


def _nfiq2(sample: Sample) -> int | None:
    if isinstance(sample.view.source, FingerMinutiae):
        return None
    return nfiq2.score(_pixels(sample.view))


def _best(views: Sequence[Future[Sample]]) -> Sample:
    """The view that says most of a finger, of those that can be used; where none can, why the first fails."""
    usable: list[Sample] = []
    refused: list[InvalidArgument] = []
    for view in views:
        try:
            usable.append(view.result())
        except InvalidArgument as error:
            refused.append(error)
    if not usable:
        raise refused[0]
    return max(usable, key=lambda one: (quality_of(one.finger.template), len(one.finger.template)))


def _placed(error: InvalidArgument, view: View) -> InvalidArgument:
    """The error, with the place of the view in its file."""
    if not view.place:
        return error
    return InvalidArgument(
        error.reason,
        view.place + error.message,
        field=error.field,
        remedy=error.remedy,
        metadata={**error.metadata, "view": str(view.number + 1), "finger": str(view.position)},
    )
