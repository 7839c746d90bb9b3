"""The card's operating system: selection, secure channel, and who gets which command (GlobalPlatform Card
Specification 2.3.1, clauses 6, 10 and 11).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sim.card.answer import EF_ATR_SFI, Traits, atr, ef_atr, historical_bytes
from sim.card.apdu import Command, MalformedError, StatusError, parse, parse_t0, response
from sim.card.globalplatform import channel02, channel03, primitives
from sim.card.globalplatform.data import diversification_data
from sim.card.globalplatform.files import FileApplication
from sim.card.globalplatform.manager import Manager
from sim.card.globalplatform.persistent import (
    CARD_LOCKED,
    INSTALLED,
    LOCKED,
    OP_READY,
    TERMINATED,
    KeyRecord,
    Persistent,
    Registry,
)
from sim.card.globalplatform.reader_access import PROTECTED
from sim.card.globalplatform.session import CardSession, ForgedCommandError
from sim.card.globalplatform.settings import ISD_AID, CardSettings, ChannelFaults
from sim.card.memory import CardMemory, WriteError
from sim.card.tlv import TlvError, tlv

_PROPRIETARY, _CHAINING, _SECURE = 0x80, 0x10, 0x04
_FURTHER_CHANNELS, _NEXT_OCCURRENCE = 0x40, 0x02
_INITIALIZE_UPDATE, _EXTERNAL_AUTHENTICATE = 0x50, 0x82
_SELECT, _GET_RESPONSE, _GET_DATA, _READ_BINARY = 0xA4, 0xC0, 0xCA, 0xB0


@dataclass
class _Volatile:
    """What the card forgets when it is reset. `selected` is None for the issuer security domain."""

    selected: FileApplication | None = None
    proposed: CardSession | None = None
    session: CardSession | None = None
    protected: int = 0
    pending: bytes = b""
    manager: Manager | None = None


class GlobalPlatformCard:
    """A card with `memory`; `exchange` takes a command APDU and gives the response APDU.

    It takes the place of `sim.card.card.Card` on a `VirtualCard`. Registry, keys and counters are in `memory`
    and survive; `settings` describe a fresh card, later only protocol, options and randomness count.
    """

    def __init__(
        self,
        memory: CardMemory,
        traits: Traits | None = None,
        settings: CardSettings | None = None,
        faults: ChannelFaults | None = None,
    ) -> None:
        self.memory = memory
        # Commands of a secure channel come whole; a host must not think otherwise.
        self.traits = replace(traits or Traits(), chaining=False)
        self.settings = settings or CardSettings()
        self.faults = faults or ChannelFaults()
        self.reset()

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return atr(self.traits)

    def reset(self) -> None:
        """Forget selection, session and whatever was under way, and wake up with what the memory holds."""
        factory = Registry(OP_READY, self.settings.tries, 0, (self.settings.keys,))
        self.persistent = Persistent(self.memory, factory)
        self._state = _Volatile()

    def exchange(self, raw: bytes) -> bytes:
        """Process one command APDU."""
        try:
            command = parse_t0(raw) if self.traits.protocol == "T=0" else parse(raw)
            if len(raw) > self.traits.buffer or (command.extended and not self.traits.extended):
                raise MalformedError("longer than this card's buffer")
        except MalformedError:
            return response(b"", 0x6700)
        try:
            data, sw = self._dispatch(command)
        except StatusError as error:
            data, sw = error.data, error.sw
        except WriteError:
            data, sw = b"", 0x6581
        return self._answer(command, data, sw)

    def _answer(self, command: Command, data: bytes, sw: int) -> bytes:
        """Short commands get what fits, and the rest by GET RESPONSE. Data is returned without Le, too: with
        T=1 and T=CL cards do so, and hosts that count on it exist.
        """
        limit = min(command.ne or 256, self.traits.buffer - 2 if self.traits.extended else 256)
        if self.traits.protocol == "T=0" and data:
            if command.data:
                limit = 0
            elif len(data) < limit and not (command.ins == _GET_RESPONSE and command.all_available):
                self._state.pending = data if command.ins == _GET_RESPONSE else b""
                return response(b"", 0x6C00 | len(data))
        if len(data) <= limit:
            return response(data, sw)
        self._state.pending = data[limit:]
        return response(data[:limit], 0x6100 | (len(data) - limit if len(data) - limit < 256 else 0))

    def _dispatch(self, command: Command) -> tuple[bytes, int]:
        pending, self._state.pending = self._state.pending, b""
        if command.cla == 0xFF:
            return self._reader_command(command), 0x9000
        if self._state.selected is not None and command.cla == PROTECTED:
            return self._run_selected(self._state.selected, command)
        if command.cla & 0x20 or command.cla & 0x48 == 0x08:
            raise StatusError(0x6E00)
        if command.cla & (_FURTHER_CHANNELS | 0x03):
            raise StatusError(0x6881)
        if command.cla & _CHAINING:
            raise StatusError(0x6884)
        if command.ins == _GET_RESPONSE:
            if not pending:
                raise StatusError(0x6985)
            return pending, 0x9000
        if command.cla & ~_SECURE & 0xFF == 0x00 and command.ins == _SELECT and command.p1 == 0x04:
            return self._select(command), 0x9000
        if command.cla & _PROPRIETARY and self._state.selected is None:
            if command.ins == _INITIALIZE_UPDATE:
                return self._initialize_update(command), 0x9000
            if command.ins == _EXTERNAL_AUTHENTICATE:
                return self._external_authenticate(command), 0x9000
        self._state.proposed = None
        return self._carry_out(command)

    def _carry_out(self, command: Command) -> tuple[bytes, int]:
        """A command for the selected application, out of the secure channel where it came through one."""
        session = self._state.session
        protected = bool(command.cla & _SECURE)
        if command.ins == _GET_DATA and not protected and self._state.selected is None:
            # It says nothing that is not said to everybody (11.3), and hosts ask for it in plain at any time.
            return self._run(command, None)
        if protected != bool(session is not None and session.level):
            self._state.session = None
            raise StatusError(0x6982)
        if session is not None:
            try:
                plain = session.unwrap(command)
            except ForgedCommandError:
                self._state.session = None
                raise StatusError(0x6982) from None
            command = replace(command, cla=command.cla & ~_SECURE & 0xFF, data=plain)
        data, sw = self._run(command, session)
        if session is None or not (sw == 0x9000 or sw >> 8 in (0x62, 0x63)):
            return data, sw
        return self._protect(session, data, sw), sw

    def _run_selected(self, application: FileApplication, command: Command) -> tuple[bytes, int]:
        """A command for an application; its secure messaging is its own."""
        try:
            return application.exchange(command)
        except StatusError as error:
            return error.data, error.sw

    def _run(self, command: Command, session: CardSession | None) -> tuple[bytes, int]:
        """Data and status of a plain command."""
        try:
            if self._state.selected is not None:
                return self._state.selected.exchange(command)
            return self._process(command, session), 0x9000
        except StatusError as error:
            return error.data, error.sw
        except (TlvError, IndexError):
            return b"", 0x6A80
        except WriteError:
            return b"", 0x6581

    def _protect(self, session: CardSession, data: bytes, sw: int) -> bytes:
        self._state.protected += 1
        wrapped = session.wrap(data, sw)
        if self._state.protected == self.faults.wrong_mac_at and len(wrapped) > len(data):
            wrapped = wrapped[:-1] + bytes([wrapped[-1] ^ 0x01])
        return wrapped

    def _process(self, command: Command, session: CardSession | None) -> bytes:
        if command.ins == _READ_BINARY and command.p1 == 0x80 | EF_ATR_SFI and session is None:
            return ef_atr(self.traits)
        if not command.cla & _PROPRIETARY and command.ins != _GET_DATA:
            # SELECT by anything but a name finds nothing here: there are no files beside applications.
            raise StatusError(0x6A82 if command.ins == _SELECT else 0x6D00)
        if self._state.manager is None:
            self._state.manager = Manager(self.persistent, self.settings)
        return self._state.manager.process(command, session)

    def _reader_command(self, command: Command) -> bytes:
        """Class FF: a contactless reader answers these itself (PC/SC part 3, 3.2.2.1.3)."""
        if command.ins != _GET_DATA:
            raise StatusError(0x6D00)
        if command.p1p2 == 0x0000:
            return self.memory.uid
        if command.p1p2 == 0x0100:
            return historical_bytes(self.traits)
        raise StatusError(0x6A81)

    def _select(self, command: Command) -> bytes:
        """SELECT by name (11.9): ends the session, whatever comes of it. A locked card says so with its
        answer.
        """
        state = self.persistent.registry.state
        if command.p2 & 0xF1:
            raise StatusError(0x6A86)
        name = command.data
        if command.p2 & _NEXT_OCCURRENCE:
            # No two names here begin alike.
            raise StatusError(0x6A82)
        if not name or ISD_AID.startswith(name):
            self._state = _Volatile()
            if state == TERMINATED:
                raise StatusError(0x6A81)
            longest = self.traits.longest_data.to_bytes(2 if self.traits.extended else 1, "big")
            control = tlv(0x6F, tlv(0x84, ISD_AID) + tlv(0xA5, tlv(0x9F65, longest)))
            if state == CARD_LOCKED:
                raise StatusError(0x6283, control)
            return control
        found = next(
            (
                instance
                for instance in self.persistent.registry.instances
                if instance.aid.startswith(name)
                and not instance.state & LOCKED
                and instance.state > INSTALLED
            ),
            None,
        )
        if found is None or state in (CARD_LOCKED, TERMINATED):
            raise StatusError(0x6A82)
        application = FileApplication(self.persistent, found.aid, self.settings.random)
        self._state = _Volatile(selected=application)
        return b"" if command.p2 & 0x0C == 0x0C else application.control_information(command.p2)

    def _initialize_update(self, command: Command) -> bytes:
        """INITIALIZE UPDATE (E.5.1; Amendment D, 7.1.1)."""
        state, settings, registry = self._state, self.settings, self.persistent.registry
        state.session = state.proposed = state.manager = None
        if command.cla & _SECURE or registry.state == TERMINATED:
            raise StatusError(0x6985)
        if registry.tries == 0:
            raise StatusError(0x6983)
        size = 16 if settings.protocol == 3 and settings.i & channel03.S16 else 8
        if len(command.data) != size:
            raise StatusError(0x6700)
        if command.p2:
            raise StatusError(0x6A86)
        keys = self._key_set(command.p1)
        state.proposed = self._propose(keys, command.data, size)
        answer = state.proposed.update_response()
        if self.faults.wrong_cryptogram:
            at = 2 * size if settings.protocol == 3 else len(answer) - 1
            answer = answer[:at] + bytes([answer[at] ^ 0x01]) + answer[at + 1 :]
        named = diversification_data(self.persistent, settings)
        return named + bytes([keys.version, settings.protocol]) + answer

    def _propose(self, keys: KeyRecord, host: bytes, size: int) -> CardSession:
        settings, sequence = self.settings, self.persistent.registry.sequence
        if settings.protocol == 2:
            challenge = settings.random(6)
            if settings.i & channel02.PSEUDO_RANDOM:
                s_mac = channel02.session_key(keys.mac, 0x0101, sequence & 0xFFFF)
                challenge = primitives.des_mac(s_mac, ISD_AID, bytes(8))[:6]
            return channel02.Channel02(keys, host, challenge, sequence & 0xFFFF)
        if settings.i & channel03.PSEUDO_RANDOM:
            challenge = channel03.kdf(keys.enc, 0x02, sequence.to_bytes(3, "big") + ISD_AID, 8 * size)
        else:
            challenge = settings.random(size)
        return channel03.Channel03(keys, settings.i, host, challenge, sequence)

    def _key_set(self, version: int) -> KeyRecord:
        keys = self.persistent.registry.keys
        for record in keys:
            if version in (0, record.version):
                return record
        raise StatusError(0x6A88)

    def _external_authenticate(self, command: Command) -> bytes:
        """EXTERNAL AUTHENTICATE (E.5.2). A try is used up before the comparison, so that cutting the power
        does not give it back.
        """
        proposed, self._state.proposed = self._state.proposed, None
        if proposed is None:
            raise StatusError(0x6985)
        if not command.cla & _SECURE:
            raise StatusError(0x6982)
        if command.p2 or not proposed.offers(command.p1):
            raise StatusError(0x6A86)
        before = self.persistent.registry
        self.persistent.commit(replace(before, tries=before.tries - 1))
        if self.faults.refuse_host or not proposed.authenticate(command):
            raise StatusError(0x6300)
        self.persistent.commit(
            replace(before, tries=self.settings.tries, sequence=(before.sequence + 1) % 0x1000000)
        )
        self._state.session = proposed
        self._state.protected = 0
        return b""
