"""The two neighbours over gRPC."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from tunggal.enroll.v1 import cards_pb2 as enroll_cards_pb2
from tunggal.enroll.v1 import cards_pb2_grpc as enroll_cards_pb2_grpc
from tunggal.enroll.v1 import enroll_pb2, enroll_pb2_grpc
from tunggal.inventory.v1 import (
    cards_pb2,
    cards_pb2_grpc,
    chips_pb2,
    chips_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    spoilage_pb2,
    spoilage_pb2_grpc,
)

from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from services.cardperso.job import Job
from services.cardperso.people import operator_id
from services.cardperso.ports import ChipStanding, Claim, Reservation
from services.common.errors import remote_error


class GrpcEnroll:
    """Implements `services.cardperso.ports.Enroll`."""

    def __init__(self, channel: grpc.Channel, call_seconds: float) -> None:
        self._stub = enroll_pb2_grpc.EnrollServiceStub(channel)
        self._cards = enroll_cards_pb2_grpc.CardServiceStub(channel)
        self._seconds = call_seconds

    def claim(self, request_id: str, region: str, claimant: str, issue_date: dt.date) -> Claim:
        """See the protocol."""
        request = enroll_pb2.ClaimNextRecordRequest(request_id=request_id, region=region, claimant=claimant)
        with _typed_errors():
            answer = self._stub.ClaimNextRecord(request, timeout=self._seconds)
        return Claim(answer.claim.claim_id, holder_of(answer.claim, region, issue_date))

    def renew(self, claim_id: str) -> None:
        """See the protocol; every renewal is a request of its own."""
        request = enroll_pb2.RenewClaimRequest(request_id=str(uuid.uuid4()), claim_id=claim_id)
        with _typed_errors():
            self._stub.RenewClaim(request, timeout=self._seconds)

    def release(self, request_id: str, claim_id: str, reason: str) -> None:
        """See the protocol."""
        request = enroll_pb2.ReleaseClaimRequest(request_id=request_id, claim_id=claim_id, reason=reason)
        with _typed_errors():
            self._stub.ReleaseClaim(request, timeout=self._seconds)

    def report_printed(self, request_id: str, claim_id: str, chip_uid: str) -> None:
        """See the protocol."""
        request = enroll_pb2.ReportCardPrintedRequest(
            request_id=request_id, claim_id=claim_id, chip_uid=chip_uid
        )
        with _typed_errors():
            self._stub.ReportCardPrinted(request, timeout=self._seconds)

    def void_card(self, request_id: str, job: Job) -> None:
        """See the protocol."""
        request = enroll_cards_pb2.VoidCardRequest(
            request_id=request_id,
            record_id=job.record_id,
            chip_uid=job.chip_uid,
            reason=job.reject_reason,
            rejected_by=operator_id(job.rejected_by),
            reviewed_by=operator_id(job.reviewed_by),
        )
        with _typed_errors():
            self._cards.VoidCard(request, timeout=self._seconds)

    def report_issued(self, request_id: str, record_id: str, chip_uid: str) -> None:
        """See the protocol."""
        request = enroll_pb2.ReportCardIssuedRequest(
            request_id=request_id, record_id=record_id, chip_uid=chip_uid
        )
        with _typed_errors():
            self._stub.ReportCardIssued(request, timeout=self._seconds)


class GrpcInventory:
    """Implements `services.cardperso.ports.Inventory`."""

    def __init__(self, channel: grpc.Channel, call_seconds: float) -> None:
        self._stub = inventory_pb2_grpc.InventoryServiceStub(channel)
        self._chips = chips_pb2_grpc.ChipServiceStub(channel)
        self._cards = cards_pb2_grpc.CardServiceStub(channel)
        self._spoilage = spoilage_pb2_grpc.SpoilageServiceStub(channel)
        self._seconds = call_seconds

    def reserve(self, request_id: str, location: str, purpose: str) -> Reservation:
        """See the protocol."""
        request = inventory_pb2.ReserveBlankRequest(request_id=request_id, location=location, purpose=purpose)
        with _typed_errors():
            blank = self._stub.ReserveBlank(request, timeout=self._seconds).blank
        return Reservation(blank.reservation_id, blank.serial)

    def check_chip(self, reservation_id: str, chip_uid: str) -> ChipStanding:
        """See the protocol."""
        request = chips_pb2.CheckChipRequest(reservation_id=reservation_id, chip_uid=chip_uid)
        with _typed_errors():
            answer = self._chips.CheckChip(request, timeout=self._seconds)
        return ChipStanding(answer.standing == chips_pb2.CHIP_STANDING_FOREIGN, answer.serial)

    def release(self, request_id: str, reservation_id: str, reason: str) -> None:
        """See the protocol."""
        request = inventory_pb2.ReleaseBlankRequest(
            request_id=request_id, reservation_id=reservation_id, reason=reason
        )
        with _typed_errors():
            self._stub.ReleaseBlank(request, timeout=self._seconds)

    def consume(self, request_id: str, reservation_id: str, chip_uid: str) -> None:
        """See the protocol."""
        request = inventory_pb2.ConsumeBlankRequest(
            request_id=request_id, reservation_id=reservation_id, chip_uid=chip_uid
        )
        with _typed_errors():
            self._stub.ConsumeBlank(request, timeout=self._seconds)

    def spoil(self, request_id: str, reservation_id: str, reason: str, chip_uid: str, operator: str) -> str:
        """See the protocol."""
        request = inventory_pb2.SpoilBlankRequest(
            request_id=request_id,
            reservation_id=reservation_id,
            reason=reason,
            chip_uid=chip_uid,
            operator=operator,
        )
        with _typed_errors():
            return str(self._stub.SpoilBlank(request, timeout=self._seconds).spoilage_id)

    def void(self, request_id: str, reservation_id: str, reason: str, chip_uid: str, operator: str) -> str:
        """See the protocol."""
        request = cards_pb2.VoidCardRequest(
            request_id=request_id,
            reservation_id=reservation_id,
            reason=reason,
            chip_uid=chip_uid,
            operator=operator,
        )
        with _typed_errors():
            return str(self._cards.VoidCard(request, timeout=self._seconds).spoilage_id)

    def review(self, request_id: str, spoilage_id: str, note: str, operator: str, *, accepted: bool) -> None:
        """See the protocol."""
        request = spoilage_pb2.ReviewSpoilageRequest(
            request_id=request_id,
            spoilage_id=spoilage_id,
            accepted=accepted,
            review=note,
            operator=operator,
        )
        with _typed_errors():
            self._spoilage.ReviewSpoilage(request, timeout=self._seconds)


def holder_of(claim: enroll_pb2.Claim, region: str, issue_date: dt.date) -> Holder:
    """The holder in a claim's message. Finger positions go back from the wire's numbers to ISO/IEC
    19794-2.
    """
    person, address = claim.record.biodata, claim.record.biodata.address
    born = person.birth_date
    return Holder(
        record_id=claim.record.record_id,
        nik=person.nik,
        full_name=person.full_name,
        birth_place=person.birth_place,
        birth_date=dt.date(born.year, born.month, born.day),
        sex=Sex(person.sex),
        blood_type=BloodType(person.blood_type),
        street=address.street,
        rt=address.rt,
        rw=address.rw,
        village=address.village,
        district_code=address.district_code,
        district=claim.places.district,
        regency=claim.places.regency,
        province=claim.places.province,
        religion=Religion(person.religion),
        marital_status=MaritalStatus(person.marital_status),
        occupation=person.occupation,
        nationality=person.nationality,
        issue_region=region,
        issue_date=issue_date,
        face=claim.face,
        signature=claim.signature,
        fingers=tuple(
            Finger(max(0, finger.position - 1), finger.iso19794_2_record, finger.quality)
            for finger in claim.fingers
        ),
    )


@contextmanager
def _typed_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise remote_error(error) from error
