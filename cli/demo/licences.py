"""What the ABIS needs before it may search: a licence and a maintenance contract, each by two people."""

from __future__ import annotations

import datetime as dt

from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub

from cli.demo.calls import patiently
from cli.demo.steps import Progress, RequestIds

_CONTRACTS = {
    "ABIS-DEMO-01": pb.CONTRACT_KIND_ABIS_LICENCE,
    "ATS-DEMO-01": pb.CONTRACT_KIND_MAINTENANCE,
}
_SUPPLIER = "PT Biometrik Nusantara"
_WHO, _SECOND = "rina", "budi"
_YEAR = dt.timedelta(days=365)


def license_abis(contracts: ContractServiceStub, ids: RequestIds, today: dt.date, progress: Progress) -> None:
    """Bring licence and maintenance into force for a year.

    Args:
        contracts: of the inventory.
        ids: of the run.
        today: first day.
        progress: one step a contract.
    """
    for number, kind in _CONTRACTS.items():
        terms = pb.ContractTerms(
            kind=kind,
            supplier=_SUPPLIER,
            currency="IDR",
            valid_from=f"{today:%Y-%m-%d}",
            valid_until=f"{today + _YEAR:%Y-%m-%d}",
        )
        draft = pb.DraftContractRequest(
            request_id=ids.of("draft", number), contract_id=number, terms=terms, operator=_WHO
        )
        patiently(lambda draft=draft: contracts.DraftContract(draft))  # type: ignore[misc]
        for step in (pb.CHANGE_KIND_SIGN, pb.CHANGE_KIND_ACTIVATE):
            propose = pb.ProposeChangeRequest(
                request_id=ids.of("propose", number, step),
                contract_id=number,
                kind=step,
                reason="The ABIS is needed from today on",
                operator=_WHO,
            )
            change = patiently(lambda propose=propose: contracts.ProposeChange(propose)).change  # type: ignore[misc]
            approve = pb.ApproveChangeRequest(
                request_id=ids.of("approve", number, step), change_id=change.change_id, operator=_SECOND
            )
            patiently(lambda approve=approve: contracts.ApproveChange(approve))  # type: ignore[misc]
        progress.advance(f"{number} until {terms.valid_until}")
