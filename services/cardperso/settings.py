"""Settings of card personalization; each says what happens when it is left out."""

from __future__ import annotations

import platform
from typing import ClassVar

from pydantic import Field

from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What card personalization can be told, beside what every service can.

    The PC/SC service is found as every PC/SC program finds it: at the system's socket, or where the
    environment variable PCSCLITE_CSOCK_NAME says.
    """

    service: ClassVar[str] = "cardperso"

    enroll_endpoint: str = Field(
        default="127.0.0.1:7103",
        description="host:port of enroll. Left out: loopback; while it does not answer there, jobs wait and "
        "say so.",
    )
    inventory_endpoint: str = Field(
        default="127.0.0.1:7101",
        description="host:port of the inventory. Left out: loopback; while it does not answer there, jobs "
        "wait and say so.",
    )
    call_seconds: float = Field(
        default=10.0, gt=0, description="Time for one call to a neighbour, then it is repeated. Left out: 10."
    )
    station: str = Field(
        default_factory=platform.node,
        min_length=1,
        max_length=200,
        description="Name of this host among the stations that share a database: each works on its own "
        "jobs. Left out: the host's name, so a host that is renamed leaves its open jobs behind.",
    )
    pcsc_sockets: str = Field(
        default="",
        description="Several pcscd on this host, for more than 16 readers: "
        "hall=/run/hall/pcscd.comm,annex=/run/annex/pcscd.comm. Their readers are then called hall/NAME and "
        "annex/NAME. Left out: the system's pcscd, or the one that PCSCLITE_CSOCK_NAME names.",
    )
    card_wait_seconds: float = Field(
        default=120.0,
        gt=0,
        description="How long a job waits for a blank card on its reader before it gives blank and record "
        "back. Left out: 2 minutes.",
    )
    resume_wait_seconds: float = Field(
        default=10.0,
        gt=0,
        description="How long a job that was interrupted while writing waits for the same card before its "
        "blank counts as spoiled. Left out: 10 seconds.",
    )
    apdu_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Time for one command to a card; a card that takes longer is spoiled. "
        "Left out: 5 seconds.",
    )
    card_mark: str = Field(
        default="SPESIMEN",
        max_length=20,
        description="Word printed across the faces; empty for none. Left out: every card says SPESIMEN.",
    )
    max_watchers: int = Field(
        default=8,
        ge=1,
        description="Callers that may follow jobs at the same time; each keeps one of the workers. "
        "Left out: 8 of 16.",
    )
    poll_seconds: float = Field(
        default=0.5,
        gt=0,
        description="How often the database is looked at for what nobody rang for. Left out: twice a second.",
    )
