"""Cards that come and go, and readers, and pcscd itself, as they happen.

One thread a pcscd waits in PC/SC for the next change. pyscard's own monitors are not used: their thread dies
when pcscd restarts (LudovicRousseau/pyscard issue 82) or a reader is unplugged (128). Here whatever fails is
tried again on a new connection, and what is seen then is compared with what was seen before.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from services.cardperso.pcsc.errors import PcscFault
from services.cardperso.pcsc.port import Port, ReaderState
from services.cardperso.pcsc.rack import SYSTEM, Rack
from services.cardperso.pcsc.watchdog import CallTimeoutError
from services.common.bell import Bell
from services.common.logs import get_logger

_SLICE = 0.5
"""Seconds after which a wait looks whether it is to stop, and the list of readers is taken anew."""
_PAUSE = 0.02
_RETRY = 0.5

_log = get_logger()


@dataclass(frozen=True)
class Sight:
    """All readers that are seen, and the pcscd instances that do not answer."""

    readers: tuple[ReaderState, ...] = ()
    unavailable: tuple[str, ...] = ()


class ReaderWatcher:
    """Watches the readers of `rack`; `bell` is rung at every change."""

    def __init__(self, rack: Rack = SYSTEM) -> None:
        self.bell = Bell()
        self._rack = rack
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[ReaderState, ...] | None] = dict.fromkeys(rack.instances, ())

    @property
    def sight(self) -> Sight:
        """What is seen now."""
        with self._lock:
            seen = dict(self._seen)
        return Sight(
            tuple(state for states in seen.values() for state in states or ()),
            tuple(instance for instance, states in seen.items() if states is None),
        )

    def run(self, stop: threading.Event) -> None:
        """Watch until told to stop."""
        threads = [
            threading.Thread(target=self._watch, args=(instance, stop), name=f"readers {instance}".strip())
            for instance in self._rack.instances
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _watch(self, instance: str, stop: threading.Event) -> None:
        while not stop.is_set():
            port: Port | None = None
            try:
                port = self._rack.connect(instance)
                while not stop.is_set():
                    states = port.states()
                    self._see(instance, states)
                    port.wait(states, _SLICE)
                    # Where PC/SC says at once that something changed, and nothing did, nobody must spin.
                    stop.wait(_PAUSE)
            except (PcscFault, CallTimeoutError):
                self._see(instance, None)
                stop.wait(_RETRY)
            finally:
                if port is not None:
                    port.close()

    def _see(self, instance: str, states: list[ReaderState] | None) -> None:
        now = (
            None
            if states is None
            else tuple(
                ReaderState(self._rack.full_name(instance, each.name), each.atr, each.flags)
                for each in states
            )
        )
        with self._lock:
            before, self._seen[instance] = self._seen[instance], now
        if _essence(before) == _essence(now):
            return
        for event, name in events(before, now):
            _log.info(event, reader=name, instance=instance)
        self.bell.ring()


def events(
    before: tuple[ReaderState, ...] | None, now: tuple[ReaderState, ...] | None
) -> list[tuple[str, str]]:
    """What happened between two sights of one instance, each with the reader it happened to.

    A card that was taken away and laid down again, or swapped, between two looks shows in the count of events
    that PC/SC keeps in the upper half of a reader's flags.
    """
    found: list[tuple[str, str]] = []
    if before is None and now is not None:
        found.append(("pcscd_back", ""))
    if before is not None and now is None:
        found.append(("pcscd_lost", ""))
    old = {state.name: state for state in before or ()}
    new = {state.name: state for state in now or ()}
    found += [("reader_removed", name) for name in old if name not in new and now is not None]
    for name, state in new.items():
        known = old.get(name)
        if known is None:
            found.append(("reader_added", name))
        was = known is not None and known.card_present
        moved = known is not None and (known.flags >> 16) != (state.flags >> 16)
        if was and (not state.card_present or moved):
            found.append(("card_removed", name))
        if state.card_present and (not was or moved):
            found.append(("card_inserted", name))
    return found


def _essence(states: tuple[ReaderState, ...] | None) -> object:
    """What of the states makes a difference; that others use a card does not."""
    if states is None:
        return None
    return [
        (state.name, state.atr, state.card_present, state.card_mute, state.flags >> 16) for state in states
    ]
