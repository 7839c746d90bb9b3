"""Settings of the inventory beyond those of every service."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the inventory can be told."""

    service: ClassVar[str] = "inventory"

    signing_key_file: Path = Field(
        default_factory=lambda data: data["data_dir"] / "signing.pem",
        description="Ed25519 key (PKCS #8, PEM) that signs destruction protocols and stock statements, made "
        "at the first start. Left out: signing.pem in data_dir; another data_dir signs with another key.",
    )
    lead_days: int = Field(
        default=14,
        ge=0,
        le=365,
        description="Days from order to receipt that forecasts reckon with where neither SetCapacity nor "
        "five receipts of the last year tell. Left out: 14.",
    )
    clock_tolerance_seconds: int = Field(
        default=7_200,
        ge=300,
        le=10**9,
        description="How far the time of an account, or the end of the closed days, may be ahead of this "
        "clock: bookings are then as of that time, beyond it they are refused (ACCOUNT_AHEAD, DAY_CLOSED), "
        "and so are questions about a moment (TIME_IN_FUTURE). Raise it to go on with books that a clock "
        "which was ahead has written to. Left out: 7200.",
    )
