"""Samples of several calls about one person."""

from __future__ import annotations

import numpy as np
import pytest
from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.samples import Reader
from services.common.errors import InvalidArgument


def sample(content: bytes, position: int, dpi: int = 500) -> pb.FingerSample:
    return pb.FingerSample(position=position, image=pb.FingerImage(content=content, dpi=dpi))  # type: ignore[arg-type]


def test_an_image_that_comes_again_is_not_extracted_again(images: list[list[bytes]]) -> None:
    reader = Reader(2)
    first = reader.person([sample(images[0][0], 3)])[0].finger
    again = reader.person([sample(images[0][0], 4)])[0].finger
    assert again.template is first.template
    assert (first.position, again.position) == (2, 3)
    reader.close()


def test_another_image_or_another_resolution_is_extracted_for_itself(images: list[list[bytes]]) -> None:
    reader = Reader(2)
    one, other, coarser = (
        reader.person([sample(content, 3, dpi)])[0].finger.template
        for content, dpi in ((images[0][0], 500), (images[0][1], 500), (images[0][0], 400))
    )
    assert not np.array_equal(one.points, other.points)
    assert not np.array_equal(one.points, coarser.points)
    reader.close()


def test_a_refused_image_is_refused_again(images: list[list[bytes]]) -> None:
    reader = Reader(2)
    for field in ("fingers[0].image.content", "probe[0].image.content"):
        with pytest.raises(InvalidArgument) as caught:
            reader.samples([sample(images[0][0][:2000], 3)], field=field.split("[")[0])
        assert caught.value.field == field
    reader.close()
