"""`tunggal bench`: what is measured, on whose data, written where."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.bench_extraction import extractors, quality, stress, told
from cli.bench_inventory import inventory
from cli.errors import readable
from services.common.errors import FailedPrecondition

app = typer.Typer(help="Measure accuracy and speed.", no_args_is_help=True)

for command in (extractors, inventory, quality, stress):
    app.command()(command)

JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures for programs.")
]


@app.command()
@readable
def fingerprint(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Sets, each with manifest.csv and its images.")
    ],
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the score of every pair.")
    ] = None,
    json_file: JsonFile = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the DET curves.")] = None,
    peer: Annotated[
        str | None, typer.Option(metavar="nbis", help="Run another matcher on the same sets beside ours.")
    ] = None,
) -> None:
    """Compare all pairs of one-finger sets on one core: error rates and speed."""
    from bench import fingerprint as measured

    _make_room(scores, json_file, plot)
    report = told(lambda: measured.run(directories, scores, json_file, plot, peer))
    # Narrow enough for 80 columns: the names of sets differ at their ends and must not be cut.
    table = Table(header_style="bold", padding=(0, 0), caption="FNMR at FMR 1 %, 0.1 % and 0")
    for column in ("Set", "Matcher"):
        table.add_column(column, no_wrap=True)
    for column in ("EER", "1 %", "0.1 %", "0", "Failures", "ms/image", "pairs/s"):
        table.add_column(column, justify="right")
    for matcher, figures in {"tunggal": report, **report.get("peers", {})}.items():
        for row in [*figures["sets"], {"set": "mean", **figures["mean"]}]:
            rates = ("eer", "fnmr_at_fmr_1e-2", "fnmr_at_fmr_1e-3", "fnmr_at_zero_fmr")
            table.add_row(
                row["set"],
                matcher,
                *(f"{row[rate]:.2%}" for rate in rates),
                f"{row['failures_to_extract']:.4g}",
                f"{row['extract_ms']:.0f}",
                f"{row['comparisons_per_second']:,.0f}",
            )
        table.add_section()
    Console().print(table)
    for count in (2, 4):
        together = report[f"fused_{count}"]
        if together["eer"] is not None:
            Console().print(
                f"{count} fingers of virtual people fused: EER {together['eer']:.3%}, FNMR at FMR 0.1 % "
                f"{together['fnmr_at_fmr_1e-3']:.3%} (fingers taken as independent)."
            )


@app.command()
@readable
def calibrate(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Sets, each with manifest.csv and its images.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Gets the calibration, as JSON.")],
    made_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day to write into it. Left out: today.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn for the intervals.")] = 1,
) -> None:
    """Compute what scores mean, and the thresholds for a requested share of false alarms."""
    from bench import calibrate as computed

    _make_room(out)
    day = (made_on or datetime.now(UTC)).date().isoformat()
    made = told(lambda: computed.run(directories, day, seed))
    out.write_text(made.to_json(), encoding="utf-8")
    table = Table(
        title="Score for one false alarm in 1,000 searches (95 % interval)",
        header_style="bold",
        title_justify="left",
    )
    table.add_column("People", justify="right")
    for fingers in (1, 2, 4, 10):
        table.add_column(f"{fingers} finger{'s' if fingers > 1 else ''}", justify="right")
    for persons in (100, 10_000, 1_000_000):
        found = [made.threshold(1e-3, persons, fingers) for fingers in (1, 2, 4, 10)]
        table.add_row(f"{persons:,}", *(f"{t.score:.1f} ({t.low:.1f} to {t.high:.1f})" for t in found))
    Console().print(table)


@app.command()
@readable
def identify(
    persons: Annotated[int, typer.Option(min=1, metavar="N", help="People in the gallery.")] = 100_000,
    fingers: Annotated[int, typer.Option(min=1, max=10, metavar="K", help="Fingers of each.")] = 10,
    probes: Annotated[int, typer.Option(min=1, metavar="M", help="How many of them are searched for.")] = 100,
    mates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Make those who are searched for of a set's real prints."),
    ] = None,
    json_file: JsonFile = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw time and loss from 10,000 people up to N.")
    ] = None,
) -> None:
    """Search for people in a large synthetic gallery: speed and loss of every stage."""
    from bench import identify as measured

    _make_room(json_file, plot)
    report = told(lambda: measured.run(persons, fingers, probes, json_file, plot, mates))
    table = Table(
        title=f"{probes:,} searches among {persons:,} people × {fingers} fingers",
        header_style="bold",
        title_justify="left",
    )
    for column in ("Stage", "People in", "out", "ms on one core", "People/s/core", "Fingers/s/core", "Loss"):
        table.add_column(column, justify="left" if column == "Stage" else "right")
    for stage in report["stages"]:
        table.add_row(
            stage["what"],
            f"{stage['persons_in']:,}",
            f"{stage['persons_out']:,}",
            f"{stage['core_ms']:.1f}",
            f"{stage['persons_per_second_per_core']:,.0f}",
            f"{stage['fingers_per_second_per_core']:,.0f}",
            f"{next(iter(stage['loss'].values())):.2%}",
        )
    Console().print(table)
    waits = "; ".join(
        f"p50 {report['p50_ms'][n]:.0f} ms and p99 {report['p99_ms'][n]:.0f} ms on {n} thread(s)"
        for n in report["p50_ms"]
    )
    kernel, ceiling = report["kernel_fingers_per_second"] / 1e6, report["kernel_ceiling"] / 1e6
    for line in (
        f"All stages: {report['persons_per_second_per_core']:,.0f} people/s/core; {waits}.",
        f"FNIR {report['fnir']:.2%} at FPIR {measured.FPIR:.0%}; "
        f"{report['bytes_per_person']:,.0f} bytes a person in the hot part, "
        f"{report['bytes_per_person_cold']:,.0f} behind it; loaded in {report['load_seconds']:.2f} s; "
        f"{report['inserts_per_second']:,.0f} people inserted per second.",
        f"Kernel ({report['kernel']}): {kernel:.1f} M fingers/s of 36 × 36 codes, "
        f"{report['kernel_ceiling_ratio']:.0%} of the {ceiling:.1f} M that the arithmetic allows.",
        *_with_index(report),
    ):
        Console().print(line)


def _with_index(report: dict[str, Any]) -> list[str]:
    """What an index of words makes of the same searches."""
    indexed = report.get("with_index")
    if indexed is None:
        return []
    first = indexed["stages"][0]
    return [
        f"With an index of words: {indexed['persons_per_second_per_core']:,.0f} people/s/core; first stage "
        f"{first['core_ms']:.1f} ms on one core, loss {indexed['stage1_loss']:.2%}; "
        f"{indexed['index_bytes_per_person']:,.0f} bytes a person more; FNIR {indexed['fnir']:.2%}."
    ]


@app.command()
@readable
def synthetic(
    fingers: Annotated[int, typer.Option(min=2, max=5000)] = 50,
    impressions: Annotated[int, typer.Option(min=2, max=50)] = 4,
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Gets the images and their manifest.csv.")
    ] = Path("var/bench/synthetic"),
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw a contact sheet of all classes.")
    ] = None,
    real: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Real images below the synthetic ones of the sheet.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Make synthetic fingers, compare all their prints, and time each step."""
    from bench import synthetic as measured

    _make_room(sheet, json_file)
    report = told(lambda: measured.run(directory, fingers=fingers, impressions=impressions))
    if sheet is not None:
        told(lambda: measured.contact_sheet(sheet, real))
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(report), indent=2) + "\n")
    table = Table(
        title=f"{fingers} synthetic fingers × {impressions}", header_style="bold", title_justify="left"
    )
    table.add_column("What")
    table.add_column("Measured", justify="right")
    for what, value in (
        ("equal error rate", f"{report.eer:.2%}"),
        ("FNMR at FMR 0.1 %", f"{report.fnmr_at_fmr_0_1_percent:.2%}"),
        ("genuine and impostor pairs", f"{report.genuine:,} and {report.impostor:,}"),
        ("failures to extract", f"{report.extraction_failures}"),
        ("minutiae (sd)", f"{report.minutiae_mean:.1f} ({report.minutiae_deviation:.1f})"),
        ("classes", ", ".join(f"{name} {count}" for name, count in report.patterns.items())),
        ("to grow a finger", f"{1000 * report.master_seconds:.0f} ms"),
        ("to print it", f"{1000 * report.impression_seconds:.0f} ms"),
        ("to extract a template", f"{1000 * report.extraction_seconds:.0f} ms"),
    ):
        table.add_row(what, value)
    Console().print(table)


@app.command()
@readable
def card(
    readers: Annotated[int, typer.Option(min=1, max=16, metavar="N", help="Readers at once.")] = 8,
    cards: Annotated[int, typer.Option(min=1, metavar="N", help="Cards on each.")] = 10,
    apdu_ms: Annotated[
        float, typer.Option(min=0, metavar="MS", help="What a chip takes for an APDU; assumed.")
    ] = 10.0,
    byte_us: Annotated[
        float, typer.Option(min=0, metavar="US", help="And for each byte of it: 25 at 424 kbit/s.")
    ] = 25.0,
    json_file: JsonFile = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw time against the floor, and readers.")
    ] = None,
) -> None:
    """Make virtual cards over PC/SC: cards per hour, and time against bare APDUs."""
    from bench import card as measured
    from sim.card import PcscMissingError

    _make_room(json_file, plot)
    try:
        report = measured.run(readers, cards, apdu_ms, byte_us, json_file, plot)
    except PcscMissingError as error:
        raise FailedPrecondition(
            "PCSC_MISSING", str(error), remedy="'make setup' installs what is needed."
        ) from error
    table = Table(header_style="bold", padding=(0, 1))
    for column in ("One reader", "APDUs", "Bytes", "ms/card", "Floor ms", "× floor"):
        table.add_column(column, justify="left" if column == "One reader" else "right")
    for name, part in (("no chip time", report["without_pace"]), (f"{apdu_ms:g} ms, {byte_us:g} µs", report)):
        table.add_row(
            name,
            f"{part['apdus_per_card']:.0f}",
            f"{part['bytes_per_card']:,.0f}",
            f"{part['ms_per_card']:.1f}",
            f"{part['floor_ms_per_card']:.1f}",
            f"{part['ratio_to_floor']:.2f}",
        )
    Console().print(table)
    table = Table(header_style="bold", padding=(0, 1))
    for column in ("Readers", "Cards/hour", "Linear", "CPU", "Host ms", "pcscd ms", "Cards ms"):
        table.add_column(column, justify="right")
    for count, part in report["by_readers"].items():
        table.add_row(
            count,
            f"{part['cards_per_hour']:,.0f}",
            f"{part['scaling']:.0%}",
            f"{part['cpu_share']:.0%}",
            *(f"{part[f'cpu_ms_per_card_{who}']:.1f}" for who in ("host", "pcscd", "cards")),
        )
    Console().print(table)


def _make_room(*files: Path | None) -> None:
    """Directories for what will be written: told before the measurement, not after it."""
    for file in files:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
