"""Where jobs come in and cards go out."""

from __future__ import annotations

import uuid

from services.cardperso import pcsc
from services.cardperso.booking import DECISIONS
from services.cardperso.job import Job, State
from services.cardperso.jobs import Jobs
from services.cardperso.localtime import local_day
from services.cardperso.ports import Enroll
from services.common import paging
from services.common.clock import Clock
from services.common.errors import InvalidArgument, NotFound


class Desk:
    """Accepts jobs for the readers of a station and reports cards that were handed over."""

    def __init__(self, station: str, jobs: Jobs, enroll: Enroll, clock: Clock) -> None:
        self._station = station
        self._jobs = jobs
        self._enroll = enroll
        self._clock = clock

    def new_job(self, region: str, location: str, reader: str, operator: str) -> Job:
        """A job, not stored yet.

        Raises:
            InvalidArgument: the location is not in the region.
            NotFound: there is no such reader.
            PcscUnavailable: PC/SC does not answer.
        """
        self.check_place(region, location)
        self.check_reader(reader)
        now = self._clock.now()
        return Job(
            job_id=str(uuid.uuid4()),
            state=State.PENDING,
            region=region,
            location=location,
            station=self._station,
            reader=reader,
            issue_date=local_day(now, region),
            create_time=now,
            update_time=now,
            operator=operator,
        )

    @staticmethod
    def check_place(region: str, location: str) -> None:
        """Raise InvalidArgument where the location is not in the region."""
        if location != region and not location.startswith(f"{region}:"):
            raise InvalidArgument(
                "LOCATION_OUTSIDE_REGION",
                f"{location} is neither {region} nor a site in it.",
                field="location",
                remedy=f"Send {region}, or {region}:NAME for a site.",
            )

    @staticmethod
    def check_reader(reader: str) -> None:
        """Raise NotFound where this host has no such reader, PcscUnavailable where PC/SC does not answer."""
        names = [found.name for found in pcsc.readers()]
        if reader not in names:
            raise NotFound(
                "READER_UNKNOWN",
                f"There is no reader {reader!r} on this host.",
                field="reader",
                remedy=f"Send one of: {', '.join(names) or 'none is connected'}.",
            )

    def readers_in_use(self) -> dict[str, str]:
        """The job at each reader that has one: the oldest that is open."""
        jobs = self._jobs.open_jobs(self._station)
        return {job.reader: job.job_id for job in reversed(jobs)}

    def hand_over(self, job_id: str) -> None:
        """Note that the holder is about to get the card, then tell enroll. Whoever wants to reject the card
        comes either before the note or after the holder has it.

        Raises:
            NotFound: there is no such job.
            FailedPrecondition: there is no finished card to hand over, or enroll knows of another one.
        """
        job = self._jobs.change(job_id, Job.handing_over)
        try:
            self._enroll.report_issued(job.request_id("issued"), job.record_id, job.chip_uid)
        except DECISIONS:
            self._jobs.change(job_id, Job.done)
            raise


def position(page_token: str) -> int:
    """The entry behind which a page begins.

    Raises:
        InvalidArgument: the token was not made by this service.
    """
    after = paging.decode_token(page_token).get("after", 0)
    if not isinstance(after, int):
        raise InvalidArgument(
            "PAGE_TOKEN_BROKEN",
            "The page token was not made by this service.",
            field="page_token",
            remedy="Send next_page_token of the previous answer unchanged, or nothing to start again.",
        )
    return after
