"""The RPCs of statements: message → store → message."""

from __future__ import annotations

import grpc
from tunggal.inventory.v1 import statements_pb2 as pb
from tunggal.inventory.v1 import statements_pb2_grpc

from services.common import paging
from services.common.db import Database
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, days_between, token
from services.inventory.desk import Desk
from services.inventory.journal import Journal
from services.inventory.location import parse
from services.inventory.statement.issuing import issue
from services.inventory.statement.keys import SigningKeys
from services.inventory.statement.signing import Signer
from services.inventory.statement.store import Issued, StatementStore

#: Who may call what. Statements are there to be published.
ALLOW = {
    "GetStatementKey": READERS,
    "IssueStatements": OPERATORS,
    "ListStatements": READERS,
}


class StatementService(Adapter, statements_pb2_grpc.StatementServiceServicer):
    """Adapter between the contract and the statements."""

    def __init__(self, database: Database, journal: Journal, signer: Signer) -> None:
        super().__init__(database, journal)
        self._signer = signer

    def GetStatementKey(
        self, request: pb.GetStatementKeyRequest, context: grpc.ServicerContext
    ) -> pb.GetStatementKeyResponse:
        """Reads the public keys."""
        with self._read() as store:
            used = SigningKeys(store.connection).used()
        return pb.GetStatementKeyResponse(
            public_key=self._signer.public_pem.decode(),
            key_id=self._signer.key_id,
            used_keys=[pb.StatementKey(public_key=each.public_pem, key_id=each.key_id) for each in used],
        )

    def IssueStatements(
        self, request: pb.IssueStatementsRequest, context: grpc.ServicerContext
    ) -> pb.IssueStatementsResponse:
        """Makes what is missing."""

        def work(desk: Desk) -> tuple[pb.IssueStatementsResponse, str]:
            connection = desk.store.connection
            made = issue(connection, self._signer, desk.clerk.now)
            through = StatementStore(connection).last_day()
            answer = pb.IssueStatementsResponse(
                issued=len(made), through=through.isoformat() if through else ""
            )
            return answer, "statements"

        return self._book(context, request, pb.IssueStatementsResponse, work)

    def ListStatements(
        self, request: pb.ListStatementsRequest, context: grpc.ServicerContext
    ) -> pb.ListStatementsResponse:
        """Lists statements, oldest first."""
        location = parse(request.location, "location")
        first, last = days_between(request)
        with self._read() as store:
            page = StatementStore(store.connection).page(
                location,
                below=request.with_below,
                first=first,
                last=last,
                after=after(request.page_token),
                limit=paging.page_size(request.page_size),
            )
        return pb.ListStatementsResponse(statements=map(_statement, page.items), next_page_token=token(page))


def _statement(value: Issued) -> pb.Statement:
    return pb.Statement(
        location=value.location,
        day=value.day.isoformat(),
        sequence=value.sequence,
        content=value.published.content,
        signature=value.published.signature,
        key_id=value.published.key_id,
    )
