"""The production floor's service: its RPCs from their files, and who may call them."""

from __future__ import annotations

from tunggal.cardperso.v1 import production_pb2 as pb
from tunggal.cardperso.v1 import production_pb2_grpc

from services.cardperso.production.batch_service import BatchMethods
from services.cardperso.production.card_service import CardMethods
from services.cardperso.production.station_service import StationMethods

_OPERATORS = frozenset({"operator/*"})
_VIEWERS = frozenset({"service/*", "operator/*"})
_LIST = frozenset({"ListStations", "GetBatch", "ListBatches", "ListUnreviewed", "ListFailedChips"})

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    method.name: _VIEWERS if method.name in _LIST else _OPERATORS
    for method in pb.DESCRIPTOR.services_by_name["ProductionService"].methods
}


class ProductionService(
    StationMethods, BatchMethods, CardMethods, production_pb2_grpc.ProductionServiceServicer
):
    """Adapter between the contract and the production floor."""
