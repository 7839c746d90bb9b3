"""A day of real images: what a manifest must be, and what is made of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tunggal.common.v1.biometric_pb2 import FingerPosition
from typer.testing import CliRunner

from cli.main import app
from services.common.errors import InvalidArgument
from sim.demo.recorded import read_manifest, recorded_day, visits

HEAD = "path,subject,position,impression,dpi\n"
Write = Callable[[str], Path]


@pytest.fixture
def manifest(tmp_path: Path) -> Write:
    """Writes a manifest and every image it names."""

    def write(text: str) -> Path:
        out = io.BytesIO()
        Image.new("L", (64, 64), 128).save(out, "PNG")
        for line in text.splitlines()[1:]:
            (tmp_path / line.split(",")[0]).write_bytes(out.getvalue())
        (tmp_path / "manifest.csv").write_text(text)
        return tmp_path

    return write


def rows(subject: str, impressions: str, position: str = "unknown") -> str:
    return "".join(
        f"{subject}_{i}_{position}.png,{subject},{position},{i},500\n" for i in impressions.split()
    )


def test_the_first_impression_enrols_and_the_next_three_come_again(manifest: Write) -> None:
    subjects = read_manifest(manifest(HEAD + rows("101", "1 2 3 4 5 6 7 8") + rows("102", "1 2 3 4")))
    day = recorded_day(subjects, 1, "32.16")
    assert visits(subjects) == 8
    assert day.people == 2
    assert day.injected == 6
    assert [s.key for s in day.submissions] == [
        "101/1", "102/1", "101/2", "102/2", "101/3", "102/3", "101/4", "102/4",
    ]  # fmt: skip
    assert len({s.biodata.nik for s in day.submissions}) == 8
    assert {f.position for s in day.submissions for f in s.fingers} == {
        FingerPosition.FINGER_POSITION_UNKNOWN
    }


def test_impressions_count_by_number_not_by_text_and_may_begin_anywhere(manifest: Write) -> None:
    day = recorded_day(read_manifest(manifest(HEAD + rows("7", "10 9 11"))), 1, "32.16")
    assert [s.key for s in day.submissions] == ["7/9", "7/10", "7/11"]


def test_several_positions_of_one_impression_are_fingers_of_one_visit(manifest: Write) -> None:
    text = HEAD + rows("A", "1 2", "right thumb") + rows("A", "1 2", "LEFT_INDEX") + rows("A", "1 2", "3")
    day = recorded_day(read_manifest(manifest(text)), 1, "32.16")
    assert [[f.position for f in s.fingers] for s in day.submissions] == [
        [
            FingerPosition.FINGER_POSITION_RIGHT_THUMB,
            FingerPosition.FINGER_POSITION_LEFT_INDEX,
            FingerPosition.FINGER_POSITION_RIGHT_MIDDLE,  # ISO code 3
        ]
    ] * 2


def test_the_same_finger_twice_in_one_visit_is_refused(manifest: Write) -> None:
    text = HEAD + "a.png,1,left thumb,1,500\n" + "b.png,1,left thumb,1,500\n"
    with pytest.raises(InvalidArgument, match=r"a\.png and b\.png"):
        read_manifest(manifest(text))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("path,subject,position,impression\n", "lacks the column dpi"),
        (HEAD, "names no image"),
        (HEAD + "a.png,1,unknown,1,fine\n", "line 2: dpi is 'fine'"),
        (HEAD + "a.png,1,unknown,1,50\n", "line 2: dpi is '50'"),
        (HEAD + "a.png,,unknown,1,500\n", "line 2: subject is empty"),
        (HEAD + "a.png,1,sixth toe,1,500\n", "line 2: position 'sixth toe'"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_line(manifest: Write, text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        read_manifest(manifest(text))


def test_a_missing_image_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(HEAD + "gone.png,1,unknown,1,500\n")
    with pytest.raises(InvalidArgument, match=r"line 2: there is no file gone\.png"):
        read_manifest(tmp_path)


def test_the_demo_says_what_is_wrong_with_a_directory_before_it_starts_anything(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    result = CliRunner().invoke(
        app, ["demo", "--fingerprints", str(tmp_path / "nowhere"), "--var", str(home)]
    )
    assert result.exit_code == 1
    assert result.stderr.startswith("error: DIRECTORY_MISSING: ")
    assert "--fingerprints" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not home.exists()
