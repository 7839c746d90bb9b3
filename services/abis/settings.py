"""Settings of the ABIS beyond those of every service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from services.abis.calibration import PACKAGED
from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the ABIS can be told. Thresholds are natural log-likelihood ratios, fused over all fingers."""

    service: ClassVar[str] = "abis"

    duplicate_fpir: float = Field(
        default=1e-3,
        gt=0.0,
        lt=1.0,
        description="Share of searches of people who are not in the gallery that may end as duplicate. The "
        "score asked for follows from it, the gallery's size and the number of fingers. Left out: 0.001.",
    )
    adjudicate_fpir: float = Field(
        default=1e-2,
        gt=0.0,
        lt=1.0,
        description="Share of searches of people who are not in the gallery that people may have to look at. "
        "Left out: 0.01.",
    )
    calibration_file: Path = Field(
        default=PACKAGED,
        description="What `tunggal bench calibrate` wrote. Left out: a calibration on public test sets.",
    )
    duplicate_threshold: float = Field(
        default=5.0,
        description="Score below which a deduplication never says duplicate, however small the gallery. Left "
        "out: 5.0, which no impostor of the public test sets reaches with one finger.",
    )
    adjudicate_threshold: float = Field(
        default=2.0,
        description="Score below which people need not look, however small the gallery. Left out: 2.0, which "
        "one impostor in some 1,000 reaches with one finger.",
    )
    verify_threshold: float = Field(
        default=3.0,
        description="Score from which a 1:1 comparison is a match. Left out: 3.0, which less than one "
        "impostor in 10,000 reaches with one finger.",
    )
    search_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Cores that searches and extractions may use together. Left out: all of the machine.",
    )

    abis_index: Literal["scan", "words"] = Field(
        default="scan",
        description="How searches with eight fingers or more begin. scan: with everybody's codes, 0.15 s a "
        "million people and core. words: with an index of 1.4 kB a person, seven times as fast, which misses "
        "up to one mate in 1,000. Left out: scan.",
    )

    inventory_endpoint: str = Field(
        default="",
        description="host:port of the inventory, asked before each search or insertion whether licence "
        "and maintenance are in force. Left out: nobody is asked, and the ABIS works without any contract.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.adjudicate_threshold > self.duplicate_threshold:
            raise ValueError("adjudicate_threshold must not be above duplicate_threshold")
        if self.adjudicate_fpir < self.duplicate_fpir:
            raise ValueError("adjudicate_fpir must not be below duplicate_fpir")
        return self
