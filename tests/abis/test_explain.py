"""The page of pictures shows what the engine really saw, and the score that it really gives."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from services.abis.explain import comparison
from services.abis.explain.matching import Match, brought_back, match
from services.abis.explain.page import Sheet, explain, in_words, stages
from services.abis.explain.steps import Steps, look, trace
from services.abis.fingerprint.align import place
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.interchange import to_record
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, from_minutiae
from services.abis.formats import iso19794_2
from services.common.errors import InvalidArgument


@pytest.fixture(scope="module")
def steps(images: list[list[bytes]]) -> list[Steps]:
    """Two prints of one finger, and one of another."""
    return [trace(data) for data in (images[0][0], images[0][1], images[1][0])]


@pytest.fixture(scope="module")
def mates(steps: list[Steps]) -> Match:
    return match(steps[0].template, steps[1].template)


def drawings(page: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def test_the_steps_are_those_of_the_real_extraction(steps: list[Steps], images: list[list[bytes]]) -> None:
    assert steps[0].template.to_bytes() == extract(images[0][0]).to_bytes()
    assert steps[0].enhanced.shape == steps[0].pixels.shape
    assert steps[0].area.any()


def test_the_score_is_the_one_that_the_matcher_gives(steps: list[Steps]) -> None:
    for a, b in ((0, 1), (1, 0), (0, 2)):
        probe, reference = steps[a].template, steps[b].template
        assert match(probe, reference).score == compare(probe, reference).score


def test_bias_and_contributions_add_up_to_the_score(mates: Match) -> None:
    assert mates.bias + sum(e.contribution for e in mates.evidence) == pytest.approx(mates.score)


def test_every_stage_speaks_for_mates_and_against_strangers(steps: list[Steps], mates: Match) -> None:
    strangers = match(steps[0].template, steps[2].template)
    assert all(llr > 0 for _, _, llr in stages(mates))
    assert all(llr < 0 for _, _, llr in stages(strangers))
    page = explain(Sheet("probe", steps[0]), Sheet("reference", steps[1]))
    for name, _, llr in stages(mates):
        assert re.search(rf"<td>{name}</td>.*{llr:+.1f}".replace("+", r"\+"), page)


def test_pairs_are_told_as_probe_and_reference_in_either_order(steps: list[Steps], mates: Match) -> None:
    back = match(steps[1].template, steps[0].template)
    assert back.swapped != mates.swapped
    assert back.relaxed.tolist() == mates.relaxed[:, ::-1].tolist()
    assert back.pairs.tolist() == mates.pairs[:, ::-1].tolist()


def test_a_minutia_brought_back_is_laid_where_it_came_from(mates: Match) -> None:
    second = mates.probe if mates.swapped else mates.reference
    for (x, y, _), point in zip(
        brought_back(second.points, mates.motion, mates.field), second.points, strict=True
    ):
        there = place(float(x), float(y), mates.motion, mates.field)
        assert np.hypot(there[0] - point[0], there[1] - point[1]) < 0.1


def test_the_page_of_one_finger_shows_every_step_in_order(steps: list[Steps]) -> None:
    page = explain(Sheet("left index", steps[0]))
    titles = re.findall(r"<h3>\d\. (.*?)</h3>", page)
    assert titles[0] == "Captured"
    assert titles[-1] == "Minutiae"
    assert len(drawings(page)) == len(titles) >= 5
    marks = drawings(page)[-1].findall("g[@class='minutia found']")
    assert len(marks) == len(steps[0].template)


def test_the_page_of_two_fingers_shows_the_match(steps: list[Steps], mates: Match) -> None:
    page = explain(Sheet("probe", steps[0]), Sheet("reference", steps[1]))
    assert f'<div class="score good">{mates.score:+.1f}</div>' in page
    overlay = next(d for d in drawings(page) if d.findall("line[@class='residual']"))
    assert len(overlay.findall("line[@class='residual']")) == len(mates.pairs)
    # Nothing is fetched from outside: the page must open years later, and on a machine without a network.
    assert "http" not in page.replace("http://www.w3.org", "")


def test_names_cannot_smuggle_markup_into_the_page(steps: list[Steps]) -> None:
    page = explain(Sheet("<script>alert(1)</script>", steps[0]))
    assert "<script>" not in page


def test_templates_with_nothing_in_common_are_explained_all_the_same(steps: list[Steps]) -> None:
    one = np.zeros(1, np.float32)
    lonely = from_minutiae(Minutiae(one + 40, one + 40, one, one.astype(np.uint8), one + 1), 100, 100)
    found = match(steps[0].template, lonely)
    assert not found.aligned
    assert found.score == 0.0
    assert "too little in common" in in_words(found)


def test_the_command_writes_the_page(tmp_path: Path, images: list[list[bytes]]) -> None:
    for name, data in (("probe.png", images[0][0]), ("reference.png", images[0][1])):
        (tmp_path / name).write_bytes(data)
    out = tmp_path / "page.html"
    done = CliRunner().invoke(
        app,
        [
            "abis",
            "explain",
            str(tmp_path / "probe.png"),
            str(tmp_path / "reference.png"),
            "--html",
            str(out),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "probe.png against reference.png" in out.read_text(encoding="utf-8")


def test_a_file_that_is_no_image_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no finger")
    done = CliRunner().invoke(
        app, ["abis", "explain", str(tmp_path / "notes.txt"), "--html", str(tmp_path / "x")]
    )
    assert done.exit_code == 1
    assert done.stderr.startswith("error: IMAGE_UNREADABLE")
    assert not (tmp_path / "x").exists()


@pytest.fixture(scope="module")
def record(templates: list[list[Template]]) -> bytes:
    """A minutiae record of the second print of the first finger."""
    return iso19794_2.write(to_record(templates[0][1], 2))


def test_records_of_minutiae_are_explained_with_what_they_have(
    steps: list[Steps], templates: list[list[Template]], record: bytes
) -> None:
    known = look(record)
    assert len(known.template) == len(templates[0][1])
    alone = explain(Sheet("a record", known))
    assert re.findall(r"<h3>\d\. (.*?)</h3>", alone) == ["Minutiae"]
    assert "there is no image" in alone
    for probe, reference, words in (
        (steps[0], known, "of the reference only minutiae are known"),
        (known, steps[0], "of the probe only minutiae are known"),
        (known, known, "Only minutiae are known of either"),
    ):
        page = explain(Sheet("probe", probe), Sheet("reference", reference))
        score = compare(probe.template, reference.template).score
        assert f'<div class="score good">{score:+.1f}</div>' in page
        assert words in page


def test_a_record_of_several_fingers_is_not_explained(templates: list[list[Template]]) -> None:
    one = to_record(templates[0][0], 2)
    with pytest.raises(InvalidArgument) as error:
        look(iso19794_2.write(replace(one, fingers=one.fingers * 2)), field="probe")
    assert (error.value.reason, error.value.field) == ("TEMPLATE_VIEWS", "probe")


def test_the_pairs_seen_closely_are_drawn_and_lettered_in_both_fingers(
    steps: list[Steps], mates: Match
) -> None:
    drawing = ET.fromstring(comparison.correspondences(mates, steps[0], steps[1]).svg)
    letters = [str(text.text) for text in drawing.findall("text")]
    shown = [c.letter for c in comparison.best_cylinders(mates)]
    assert sorted(letters) == sorted(2 * shown)
    drawn = {(line.get("x1"), line.get("y1")) for line in drawing.findall("line[@class='pair']")}
    for _, k in comparison.strongest(mates):
        x, y = mates.probe.points[mates.relaxed[k, 0], :2]
        assert (f"{x:.1f}", f"{y:.1f}") in drawn


def test_lines_between_strangers_do_not_look_like_those_between_mates(
    steps: list[Steps], mates: Match
) -> None:
    def brightest(found: Match, probe: Steps, reference: Steps) -> int:
        drawing = ET.fromstring(comparison.correspondences(found, probe, reference).svg)
        strokes = [str(line.get("stroke")) for line in drawing.findall("line[@class='pair']")]
        return max(int(stroke[4:].split(",")[1]) for stroke in strokes)

    strangers = match(steps[0].template, steps[2].template)
    assert brightest(strangers, steps[0], steps[2]) < 140 < brightest(mates, steps[0], steps[1])


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (57.7, "more than a million times as likely of one finger"),
        (46.3, "more than a million times as likely of one finger"),
        (9.0, "about 8,100 times as likely of one finger"),
        (0.3, "next to nothing"),
        (-12.7, "about 330,000 times as likely of two different"),
        (-20.0, "more than a million times as likely of two different"),
    ],
)
def test_words_claim_no_more_than_was_measured(mates: Match, score: float, words: str) -> None:
    assert words in in_words(replace(mates, score=score))


def test_minutiae_that_do_not_coincide_are_drawn_pale(steps: list[Steps], mates: Match) -> None:
    drawing = ET.fromstring(comparison.overlay(mates, steps[0], steps[1]).svg)
    for name in ("probe", "reference"):
        assert len(drawing.findall(f"g[@class='minutia {name}']")) == len(mates.pairs)
        assert drawing.findall(f"g[@class='minutia {name} alone']")
