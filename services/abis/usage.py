"""What the ABIS tells the inventory: how many people its gallery has. So a full licence is seen coming."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Final

import grpc
from tunggal.inventory.v1 import contracts_pb2, contracts_pb2_grpc

from services.common.errors import TunggalError, remote_error
from services.common.logs import get_logger

#: Seconds between two reports. A ceiling of millions is not reached in minutes.
PAUSE: Final = 600.0

_log = get_logger()


class UseReporter:
    """Reports in a thread of its own; what does not arrive is told again with the next report.

    Every replica reports: all of them follow the same gallery.
    """

    def __init__(self, people: Callable[[], int], channel: grpc.Channel, pause: float = PAUSE) -> None:
        self._people = people
        self._stub = contracts_pb2_grpc.ContractServiceStub(channel)
        self._pause = pause

    def run(self, stop: threading.Event) -> None:
        """Reports until ``stop`` is set."""
        while True:
            try:
                self.report()
            except TunggalError as error:
                _log.warning("use_not_reported", reason=error.reason)
            if stop.wait(self._pause):
                return

    def report(self) -> int:
        """Tells the inventory once; how many people there are.

        Raises:
            TunggalError: The inventory does not answer.
        """
        people = self._people()
        try:
            self._stub.ReportUse(contracts_pb2.ReportUseRequest(request_id=str(uuid.uuid4()), people=people))
        except grpc.RpcError as error:
            raise remote_error(error) from error
        return people
