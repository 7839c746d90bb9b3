"""Settings of enrolment; each says what happens when it is left out."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the enrolment service can be told, beside what every service can."""

    service: ClassVar[str] = "enroll"

    abis_endpoint: str = Field(
        default="127.0.0.1:7102",
        description="host:port of the ABIS. Left out: loopback; while it does not answer there, records wait "
        "as SENT_FOR_ENROLLMENT and say so.",
    )
    inventory_endpoint: str = Field(
        default="",
        description="host:port of the inventory, which is told every ten minutes how many people wait "
        "in each region. Left out: nobody is told, and forecasts know own use alone.",
    )
    abis_deadline_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Time for one call to the ABIS; a search that takes longer is tried again. "
        "Left out: 30 seconds.",
    )
    pipeline_workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Records deduplicated at the same time by this process. Left out: 2.",
    )
    pipeline_lease_seconds: float = Field(
        default=10.0,
        ge=1,
        description="How long a record stays with a process that fell silent; one that lives renews in time. "
        "Left out: after a crash the records in hand go on within 10 seconds.",
    )
    poll_seconds: float = Field(
        default=0.5,
        gt=0,
        description="How often the database is looked at for what other replicas did and for what is due. "
        "Left out: twice a second.",
    )
    claim_seconds: float = Field(
        default=120.0,
        ge=1,
        description="How long a card station keeps a record without renewing its claim. Left out: 2 minutes, "
        "then the record goes back to its place in the queue.",
    )
    max_submission_bytes: int = Field(
        default=12 * 1024 * 1024,
        ge=1024,
        description="Largest sum of the images of one person. Left out: 12 MiB, which fits one message "
        "to the ABIS.",
    )
    max_followers: int = Field(
        default=4,
        ge=1,
        description="Callers that may follow the history at the same time; each keeps one of the workers. "
        "Left out: 4 of 16.",
    )
