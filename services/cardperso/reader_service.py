"""The RPC that follows readers: sight → message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

import grpc
from tunggal.cardperso.v1 import reader_pb2 as pb
from tunggal.cardperso.v1 import reader_pb2_grpc

from services.cardperso import messages
from services.cardperso.pcsc import ReaderWatcher
from services.common.errors import ResourceExhausted

#: Who may call what: SPIFFE paths by method.
ALLOW = {"WatchReaders": frozenset({"service/*", "operator/*"})}


class ReaderService(reader_pb2_grpc.ReaderServiceServicer):
    """Adapter between the contract and the watcher; `in_use` gives the job at each reader that has one."""

    def __init__(
        self,
        watcher: ReaderWatcher,
        in_use: Callable[[], Mapping[str, str]],
        stopping: threading.Event,
        *,
        max_watchers: int,
        poll_seconds: float,
    ) -> None:
        self._watcher = watcher
        self._in_use = in_use
        self._stopping = stopping
        self._watchers = threading.BoundedSemaphore(max_watchers)
        self._poll_seconds = poll_seconds

    def WatchReaders(
        self, request: pb.WatchReadersRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchReadersResponse]:
        """See the contract."""
        if not self._watchers.acquire(blocking=False):
            raise ResourceExhausted(
                "TOO_MANY_WATCHERS",
                "Too many callers follow readers at the same time.",
                remedy="Ask with ListReaders, or raise TUNGGAL_MAX_WATCHERS.",
            )
        try:
            sent: pb.WatchReadersResponse | None = None
            while context.is_active() and not self._stopping.is_set():
                rings = self._watcher.bell.rings
                sight, busy = self._watcher.sight, self._in_use()
                answer = pb.WatchReadersResponse(
                    readers=[messages.reader(found, busy.get(found.name, "")) for found in sight.readers],
                    unavailable=sight.unavailable,
                )
                if answer != sent:
                    sent = answer
                    yield answer
                self._watcher.bell.wait(rings, self._poll_seconds)
        finally:
            self._watchers.release()
