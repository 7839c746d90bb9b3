"""A file of delivery notes as it comes and goes in messages: parts in, faults out."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from tunggal.inventory.v1 import exchange_pb2 as pb

from services.common.errors import InvalidArgument, ResourceExhausted
from services.inventory.exchange.delivery_notes import COLUMNS, DeliveryLine, LineFault

LARGEST_FILE: Final = 16 << 20
_FAULTS_AT_ONCE: Final = 500


def whole(parts: Iterable[pb.ImportDeliveryFileRequest]) -> tuple[pb.ImportDeliveryFileRequest, str]:
    """The first part and the text of all.

    Raises :class:`InvalidArgument` where no part came, or one of another request;
    :class:`ResourceExhausted` for more than 16 MiB.
    """
    first: pb.ImportDeliveryFileRequest | None = None
    texts: list[str] = []
    size = 0
    for part in parts:
        first = first or part
        if part.request_id != first.request_id:
            raise InvalidArgument(
                "PART_OF_ANOTHER_FILE",
                f"A part of request {part.request_id} came with request {first.request_id}.",
                field="request_id",
                remedy="Send all parts of a file with the same request_id.",
            )
        size += len(part.csv.encode())
        if size > LARGEST_FILE:
            raise ResourceExhausted(
                "FILE_TOO_LARGE",
                f"The file is larger than {LARGEST_FILE >> 20} MiB; nothing was booked.",
                field="csv",
                remedy="Send it in several files.",
            )
        texts.append(part.csv)
    if first is None:
        raise InvalidArgument(
            "NOTHING_SENT", "No part of a file came.", field="csv", remedy="Send the file in parts."
        )
    return first, "".join(texts)


def faults(
    found: Sequence[LineFault], told: pb.ImportDeliveryFileResponse
) -> Iterator[pb.ImportDeliveryFileResponse]:
    """All faults, some at once, each time with what is ``told`` of the whole."""
    rest = iter(found)
    while some := list(islice(rest, _FAULTS_AT_ONCE)):
        answer = pb.ImportDeliveryFileResponse(faults=map(fault, some))
        answer.MergeFrom(told)
        yield answer


def fault(value: LineFault) -> pb.LineFault:
    """One fault as a message."""
    return pb.LineFault(line=value.line, column=value.column, problem=value.problem, remedy=value.remedy)


def request_of(request_id: str, lines: Iterable[DeliveryLine]) -> pb.ImportDeliveryNotesRequest:
    """The request that books these lines of a file: the same lines of the same file, the same request."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for line in lines:
        rows.writerow((line.contract_id, line.delivery_note, line.serials.first, line.serials.last))
    content = text.getvalue()
    return pb.ImportDeliveryNotesRequest(
        request_id=str(uuid.uuid5(uuid.UUID(request_id), content)), csv=content
    )
