"""The RPCs of contracts: message → contract office → message."""

from __future__ import annotations

import grpc
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1 import contracts_pb2_grpc

from services.common import paging
from services.common.clock import Clock
from services.common.db import Database
from services.common.moments import moment
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, by_number, token
from services.inventory.contracts import contract as contracts
from services.inventory.contracts import messages, supplying
from services.inventory.contracts import tables as contract_tables
from services.inventory.contracts.contract import ContractKind
from services.inventory.contracts.entitlement import entitlement
from services.inventory.contracts.office import Attachment, ContractOffice
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk
from services.inventory.journal import Journal
from services.inventory.ledger import days
from services.inventory.location import parse

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "DraftContract": OPERATORS,
    "ProposeChange": OPERATORS,
    "ApproveChange": OPERATORS,
    "RejectChange": OPERATORS,
    "AttachDocument": OPERATORS,
    "ReceiveSupply": OPERATORS,
    "RecordExitItem": OPERATORS,
    "GetExitRegister": READERS,
    "GetContractFile": READERS,
    "ListContractFiles": READERS,
    "GetEntitlement": READERS,
    "ReportUse": frozenset({"service/abis"}),
}
_OF_THE_ABIS = (ContractKind.ABIS_LICENCE, ContractKind.MAINTENANCE)
_STEPS, _KINDS, _STATES = by_number(messages.STEPS), by_number(messages.KINDS), by_number(messages.STATES)
_EXIT_KINDS, _EXIT_STATES = by_number(messages.EXIT_KINDS), by_number(messages.EXIT_STATES)


class ContractService(Adapter, contracts_pb2_grpc.ContractServiceServicer):
    """Adapter between the contract of this service and the contract office."""

    def __init__(self, database: Database, journal: Journal, clock: Clock) -> None:
        super().__init__(database, journal)
        self._clock = clock

    def DraftContract(
        self, request: pb.DraftContractRequest, context: grpc.ServicerContext
    ) -> pb.DraftContractResponse:
        """Enters a draft."""

        def work(desk: Desk) -> tuple[pb.DraftContractResponse, str]:
            draft, dues = messages.drafted(request, desk.clerk.now)
            made = ContractOffice(desk).draft(draft, dues, request.operator)
            return pb.DraftContractResponse(contract=self._file(desk, made.contract_id)), _path(
                made.contract_id
            )

        return self._book(context, request, pb.DraftContractResponse, work)

    def ProposeChange(
        self, request: pb.ProposeChangeRequest, context: grpc.ServicerContext
    ) -> pb.ProposeChangeResponse:
        """Proposes a step."""

        def work(desk: Desk) -> tuple[pb.ProposeChangeResponse, str]:
            proposed = ContractOffice(desk).propose(
                request.contract_id, _STEPS[request.kind], request.terms, request.reason, request.operator
            )
            return pb.ProposeChangeResponse(change=messages.change(proposed)), _path(request.contract_id)

        return self._book(context, request, pb.ProposeChangeResponse, work)

    def ApproveChange(
        self, request: pb.ApproveChangeRequest, context: grpc.ServicerContext
    ) -> pb.ApproveChangeResponse:
        """Approves a step as a second person."""

        def work(desk: Desk) -> tuple[pb.ApproveChangeResponse, str]:
            _, changed = ContractOffice(desk).decide(
                request.change_id, True, request.reason, request.operator
            )
            return pb.ApproveChangeResponse(contract=self._file(desk, changed.contract_id)), _path(
                changed.contract_id
            )

        return self._book(context, request, pb.ApproveChangeResponse, work)

    def RejectChange(
        self, request: pb.RejectChangeRequest, context: grpc.ServicerContext
    ) -> pb.RejectChangeResponse:
        """Rejects a step as a second person."""

        def work(desk: Desk) -> tuple[pb.RejectChangeResponse, str]:
            change, _ = ContractOffice(desk).decide(
                request.change_id, False, request.reason, request.operator
            )
            return pb.RejectChangeResponse(change=messages.change(change)), _path(change.contract_id)

        return self._book(context, request, pb.RejectChangeResponse, work)

    def AttachDocument(
        self, request: pb.AttachDocumentRequest, context: grpc.ServicerContext
    ) -> pb.AttachDocumentResponse:
        """Attaches a document by its hash."""

        def work(desk: Desk) -> tuple[pb.AttachDocumentResponse, str]:
            document = Attachment(request.sha256, request.name, request.size)
            ContractOffice(desk).attach(request.contract_id, document, request.operator)
            file = self._file(desk, request.contract_id)
            return pb.AttachDocumentResponse(contract=file), _path(request.contract_id)

        return self._book(context, request, pb.AttachDocumentResponse, work)

    def ReceiveSupply(
        self, request: pb.ReceiveSupplyRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveSupplyResponse:
        """Takes a delivery without serials into stock."""

        def work(desk: Desk) -> tuple[pb.ReceiveSupplyResponse, str]:
            supply = supplying.receive(
                desk,
                request.contract_id,
                request.delivery_note,
                parse(request.location, "location"),
                request.quantity,
            )
            file = self._file(desk, request.contract_id)
            answer = pb.ReceiveSupplyResponse(supply_id=supply.supply_id, contract=file)
            return answer, f"supplies/{supply.supply_id}"

        return self._book(context, request, pb.ReceiveSupplyResponse, work)

    def RecordExitItem(
        self, request: pb.RecordExitItemRequest, context: grpc.ServicerContext
    ) -> pb.RecordExitItemResponse:
        """Says of one thing that it was handed over, or not."""

        def work(desk: Desk) -> tuple[pb.RecordExitItemResponse, str]:
            said = ContractOffice(desk).record_exit(
                request.contract_id,
                _EXIT_KINDS[request.kind],
                request.name,
                _EXIT_STATES[request.state],
                request.evidence_sha256,
                request.note,
                request.operator,
            )
            register = messages.register(request.contract_id, said)
            return pb.RecordExitItemResponse(exit_register=register), _path(request.contract_id)

        return self._book(context, request, pb.RecordExitItemResponse, work)

    def GetExitRegister(
        self, request: pb.GetExitRegisterRequest, context: grpc.ServicerContext
    ) -> pb.GetExitRegisterResponse:
        """Reads what the vendor has handed over."""
        with self._read() as store:
            known = ContractStore(store.connection)
            if known.find(request.contract_id) is None:
                raise contracts.unknown(request.contract_id)
            said = known.exit_register(request.contract_id)
        return pb.GetExitRegisterResponse(exit_register=messages.register(request.contract_id, said))

    def GetContractFile(
        self, request: pb.GetContractFileRequest, context: grpc.ServicerContext
    ) -> pb.GetContractFileResponse:
        """Reads one contract."""
        with self._read() as store:
            known = ContractStore(store.connection)
            found = known.find(request.contract_id)
            if found is None:
                raise contracts.unknown(request.contract_id)
            return pb.GetContractFileResponse(contract=messages.file(found, known, self._clock.now()))

    def ListContractFiles(
        self, request: pb.ListContractFilesRequest, context: grpc.ServicerContext
    ) -> pb.ListContractFilesResponse:
        """Lists contracts in order of entry."""
        columns = contract_tables.contract.c
        wanted = [columns.kind == _KINDS[request.kind]] if request.kind else []
        wanted += [columns.state == _STATES[request.state]] if request.state else []
        with self._read() as store:
            known = ContractStore(store.connection)
            page = known.page(after(request.page_token), paging.page_size(request.page_size), *wanted)
            dues = known.dues_of([value.contract_id for value in page.items])
        now = self._clock.now()
        found = [messages.summary(value, dues[value.contract_id], now) for value in page.items]
        return pb.ListContractFilesResponse(contracts=found, next_page_token=token(page))

    def GetEntitlement(
        self, request: pb.GetEntitlementRequest, context: grpc.ServicerContext
    ) -> pb.GetEntitlementResponse:
        """Answers what the ABIS may do now."""
        now = self._clock.now()
        with self._read() as store:
            known = ContractStore(store.connection)
            signed = known.signed(_OF_THE_ABIS)
            use = known.use()
        found = entitlement(signed, days.day_of(now))
        return pb.GetEntitlementResponse(entitlement=messages.entitlement(found, use, now))

    def ReportUse(self, request: pb.ReportUseRequest, context: grpc.ServicerContext) -> pb.ReportUseResponse:
        """Keeps how many people the ABIS has."""

        def work(desk: Desk) -> tuple[pb.ReportUseResponse, str]:
            now = desk.clerk.now
            at = moment(request, "time") or now
            desk.require_happened(at, "time")
            known = ContractStore(desk.store.connection)
            known.report_use(request.people, at)
            found = entitlement(known.signed(_OF_THE_ABIS), days.day_of(now))
            answer = pb.ReportUseResponse(entitlement=messages.entitlement(found, known.use(), now))
            return answer, "licence-use"

        return self._book(context, request, pb.ReportUseResponse, work)

    @staticmethod
    def _file(desk: Desk, contract_id: str) -> pb.ContractFile:
        known = ContractStore(desk.store.connection)
        found = known.find(contract_id)
        assert found is not None
        return messages.file(found, known, desk.clerk.now)


def _path(contract_id: str) -> str:
    return f"contracts/{contract_id}"
