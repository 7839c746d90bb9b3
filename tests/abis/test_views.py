"""Files of several fingers: each becomes several fingers, told apart by the positions in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tunggal.abis.v1 import abis_pb2 as pb

from services.abis.finger import UNKNOWN
from services.abis.fingerprint import interchange
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.template import Template
from services.abis.formats import ansi378, iso19794_2, iso19794_2_2011
from services.abis.formats.image_container import MOST_IMAGES
from services.abis.formats.minutiae import Minutia
from services.abis.kernels import U8
from services.abis.samples import Reader
from services.abis.views import position_value
from services.common.errors import InvalidArgument
from tests.abis.abis_files import encoded, fir_2005, fir_2005_finger, itl, type_4, type_14

Wrap = Callable[[list[tuple[int, U8]]], bytes]


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader(2)
    yield made
    made.close()


def image(content: bytes, position: int = UNKNOWN) -> pb.FingerSample:
    return pb.FingerSample(
        position=position_value(position),  # type: ignore[arg-type]
        image=pb.FingerImage(content=content, dpi=500),
    )


def record(content: bytes, position: int = UNKNOWN) -> pb.FingerSample:
    return pb.FingerSample(
        position=position_value(position),  # type: ignore[arg-type]
        iso19794_2_record=content,
    )


def size(grey: U8) -> tuple[int, int]:
    """Width and height."""
    return grey.shape[1], grey.shape[0]


def in_fir(fingers: list[tuple[int, U8]]) -> bytes:
    others = b"".join(fir_2005_finger(g.tobytes(), *size(g), position) for position, g in fingers[1:])
    position, grey = fingers[0]
    return fir_2005(grey.tobytes(), *size(grey), 0, position=position, others=others)


def in_type_4(fingers: list[tuple[int, U8]]) -> bytes:
    return itl(*(type_4(grey.tobytes(), *size(grey), 0, position=position) for position, grey in fingers))


def in_type_14(fingers: list[tuple[int, U8]]) -> bytes:
    return itl(
        *(type_14(encoded(grey, "PNG"), *size(grey), "PNG", position=position) for position, grey in fingers)
    )


def slap(fingers: list[tuple[int, U8]]) -> bytes:
    """Prints side by side in one image, with their places."""
    height = max(grey.shape[0] for _, grey in fingers)
    padded = [np.pad(g, ((0, height - g.shape[0]), (0, 0)), constant_values=255) for _, g in fingers]
    ends = np.cumsum([grey.shape[1] for _, grey in fingers]).tolist()
    places = [
        f"{position}\x1f{end - grey.shape[1]}\x1f{end}\x1f0\x1f{grey.shape[0]}"
        for (position, grey), end in zip(fingers, ends, strict=True)
    ]
    whole = np.concatenate(padded, axis=1).astype(np.uint8)
    return itl(
        type_14(encoded(whole, "PNG"), ends[-1], height, "PNG", position=13, segments="\x1e".join(places))
    )


@pytest.mark.parametrize("wrap", [in_fir, in_type_4, in_type_14, slap])
def test_a_file_of_several_images_becomes_several_fingers(
    wrap: Wrap, reader: Reader, prints: list[list[U8]], templates: list[list[Template]]
) -> None:
    content = wrap([(2, prints[0][0]), (7, prints[1][0]), (8, prints[2][0])])
    found = reader.person([image(content)])
    assert [one.finger.position for one in found] == [2, 7, 8]
    for k, one in enumerate(found):
        assert compare(one.finger.template, templates[k][1]).score > 5.0


def views(templates: list[tuple[int, Template]]) -> dict[str, bytes]:
    """A record of each standard with all of these fingers."""
    size = templates[0][1].width, templates[0][1].height, 197, 197
    iso = [interchange.to_view(template, position) for position, template in templates]
    ansi = [
        ansi378.Ansi378View(
            view.position,
            tuple(
                Minutia(m.x, m.y, round(m.angle * 1.40625 / 2) % 180, m.type, m.quality)
                for m in view.minutiae
            ),
        )
        for view in iso
    ]
    newer = [iso19794_2_2011.Representation(view.position, *size, view.minutiae) for view in iso]
    return {
        "2005": iso19794_2.write(iso19794_2.FingerMinutiaeRecord(*size, tuple(iso))),
        "2011": iso19794_2_2011.write(iso19794_2_2011.Record2011(tuple(newer))),
        "378": ansi378.write(ansi378.Ansi378Record(*size, tuple(ansi))),
    }


@pytest.mark.parametrize("edition", ["2005", "2011", "378"])
def test_a_record_of_several_fingers_becomes_several_fingers(
    edition: str, reader: Reader, templates: list[list[Template]]
) -> None:
    content = views([(2, templates[0][0]), (6, templates[1][0]), (UNKNOWN, templates[2][0])])[edition]
    found = reader.person([record(content)])
    assert [one.finger.position for one in found] == [2, 6, UNKNOWN]
    for k, one in enumerate(found):
        assert compare(one.finger.template, templates[k][1]).score > 3.0


def test_of_several_views_of_one_finger_the_best_one_is_taken(
    reader: Reader, templates: list[list[Template]]
) -> None:
    good = templates[0][0]
    few = interchange.to_view(good, 2, most=8)
    size = good.width, good.height, 197, 197
    content = iso19794_2.write(
        iso19794_2.FingerMinutiaeRecord(*size, (few, interchange.to_view(good, 2), few))
    )
    for declared in (UNKNOWN, 2):
        (found,) = reader.person([record(content, declared)])
        assert (found.finger.position, len(found.finger.template)) == (2, len(good))


def test_a_view_that_cannot_be_used_does_no_harm_beside_one_that_can(
    reader: Reader, prints: list[list[U8]]
) -> None:
    blank = np.full_like(prints[0][0], 255)
    (found,) = reader.person([image(in_type_4([(3, blank), (3, prints[0][0])]))])
    assert found.finger.position == 3
    assert len(found.finger.template) > 20


def refused(call: Callable[[], object]) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as error:
        call()
    assert error.value.remedy
    return error.value


def test_a_finger_of_a_file_that_cannot_be_used_is_named(reader: Reader, prints: list[list[U8]]) -> None:
    content = in_type_14([(2, prints[0][0]), (7, np.full_like(prints[0][0], 255))])
    error = refused(lambda: reader.person([image(content)]))
    assert (error.reason, error.field) == ("IMAGE_BLANK", "fingers[0].image.content")
    assert error.message.startswith("View 2 of 2 (finger 7): ")
    assert (error.metadata["view"], error.metadata["finger"]) == ("2", "7")


def test_several_fingers_must_not_be_declared_as_one(reader: Reader, templates: list[list[Template]]) -> None:
    content = views([(2, templates[0][0]), (7, templates[1][0])])["2005"]
    error = refused(lambda: reader.person([record(content, 2)]))
    assert (error.reason, error.field) == ("POSITION_FOR_SEVERAL", "fingers[0].position")
    assert "2, 7" in error.message


def test_where_one_finger_is_compared_a_file_of_several_is_refused(
    reader: Reader, templates: list[list[Template]]
) -> None:
    content = views([(2, templates[0][0]), (7, templates[1][0])])["2011"]
    error = refused(lambda: reader.sample(record(content), field="probe"))
    assert (error.reason, error.field) == ("FINGER_COUNT", "probe.iso19794_2_record")


def test_a_finger_may_not_come_in_two_samples(
    reader: Reader, templates: list[list[Template]], images: list[list[bytes]]
) -> None:
    content = views([(2, templates[0][0]), (7, templates[1][0])])["2005"]
    error = refused(lambda: reader.person([record(content), image(images[2][0], 7)]))
    assert (error.reason, error.field) == ("POSITION_REPEATED", "fingers[1].position")


def test_more_fingers_than_a_person_has_are_refused(
    reader: Reader, templates: list[list[Template]], prints: list[list[U8]]
) -> None:
    content = views([(UNKNOWN, templates[0][0])] * 11)["2005"]
    error = refused(lambda: reader.person([record(content)]))
    assert (error.reason, error.field) == ("FINGERS_TOO_MANY", "fingers")
    small = np.zeros((64, 64), np.uint8)
    many = in_fir([(2, small)] * (MOST_IMAGES + 1))
    error = refused(lambda: reader.person([image(many)]))
    assert (error.reason, error.field) == ("IMAGE_COUNT", "fingers[0].image.content")
    half = in_fir([(2, small)] * (MOST_IMAGES // 2 + 1))
    assert refused(lambda: reader.person([image(half), image(half)])).reason == "FINGERS_TOO_MANY"


def test_a_slap_without_places_is_refused(reader: Reader, prints: list[list[U8]]) -> None:
    for content in (in_type_4([(13, prints[0][0])]), in_type_14([(14, prints[0][0])])):
        error = refused(lambda content=content: reader.person([image(content)]))  # type: ignore[misc]
        assert (error.reason, error.field) == ("IMAGE_VALUE", "fingers[0].image.content")
        assert "14.021" in str(error.remedy)


@pytest.mark.parametrize("segment", ["2\x1f0\x1f9999\x1f0\x1f10", "2\x1f10\x1f5\x1f0\x1f10", "2\x1f1", "x"])
def test_places_outside_of_a_slap_are_refused(segment: str, reader: Reader, prints: list[list[U8]]) -> None:
    grey = prints[0][0]
    content = itl(type_14(encoded(grey, "PNG"), *size(grey), "PNG", position=13, segments=segment))
    assert refused(lambda: reader.person([image(content)])).reason == "IMAGE_VALUE"


def test_an_unknown_compression_and_a_file_in_xml_are_refused_by_name(
    reader: Reader, prints: list[list[U8]]
) -> None:
    grey = prints[0][0]
    odd = itl(type_14(encoded(grey, "PNG"), *size(grey), "JPEGX"))
    error = refused(lambda: reader.person([image(odd)]))
    assert (error.reason, "JPEGX" in error.message) == ("IMAGE_VALUE", True)
    for xml in (
        b'<?xml version="1.0"?><itl:NISTBiometricInformationExchangePackage/>',
        b"\xef\xbb\xbf <itl:NISTBiometricInformationExchangePackage xmlns:itl='http://x'/>",
    ):
        error = refused(lambda xml=xml: reader.person([image(xml)]))  # type: ignore[misc]
        assert (error.reason, "XML" in error.message) == ("IMAGE_HEADER", True)
        assert "traditional" in str(error.remedy)
