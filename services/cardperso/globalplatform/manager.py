"""What is done with a card manager over an open channel, each step checked against the card's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from services.cardperso import tlv
from services.cardperso.globalplatform import commands
from services.cardperso.globalplatform.channel import SecureChannel
from services.cardperso.globalplatform.commands import Dgi, Privilege, Scope
from services.cardperso.globalplatform.errors import (
    CardLocked,
    CommandRefused,
    KeyCheckFailed,
    MalformedResponse,
    WrongCardType,
)
from services.cardperso.globalplatform.transport import Transport
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.symmetric import SoftwareKey
from services.cardperso.pcsc.apdu import MAX_EXTENDED_RESPONSE

_OK = 0x9000
_MORE = 0x6310
_NOT_FOUND = 0x6A88
_APPLICATION_NOT_FOUND = 0x6A82
_CARD_DATA = 0x0066
_SCP_OID = bytes.fromhex("2A864886FC6B04")
"""1.2.840.114283.4, followed by the protocol and its option i (GlobalPlatform 2.3.1, Appendix H)."""
_CARD_IS_LOCKED = 0x6283
_LEAST_LIMIT = 64
"""Bytes that a data field must hold at least: less has no room for a MAC and a block of cipher text."""
_MAX_ANSWERS = 64
"""Answers to GET STATUS after which a card is taken to go round in circles."""


class CardState(IntEnum):
    """Life cycle of the card (GlobalPlatform 2.3.1, 5.1 and 11.1.1)."""

    OP_READY = 0x01
    INITIALIZED = 0x07
    SECURED = 0x0F
    CARD_LOCKED = 0x7F
    TERMINATED = 0xFF


@dataclass(frozen=True)
class RegistryEntry:
    """An entry of the card's registry (11.4.3): name, life cycle state, privileges (none for load files)
    and the modules of a load file.
    """

    aid: bytes
    state: int
    privileges: bytes = b""
    modules: tuple[bytes, ...] = ()


def select_domain(transport: Transport, aid: bytes = b"") -> int:
    """Select a security domain, without name the one that is selected by default.

    Returns:
        The longest data field that it takes in a command (GlobalPlatform 2.3.1, 11.9.3.1, tag 9F65), or the
        longest that there is where it sets no limit. One byte of FF is no limit: that field cannot say more,
        and cards with extended length have it.

    Raises:
        WrongCardType: there is no such domain.
        CardLocked: the card answers that it is locked.
    """
    data, sw = transport.transmit(commands.select(aid).encode())
    if sw == _CARD_IS_LOCKED:
        raise CardLocked
    if sw != _OK:
        raise WrongCardType(f"SELECT of its issuer security domain was answered with {sw:04X}.")
    try:
        inside = tlv.find(tlv.find(data, 0x6F) or b"", 0xA5) or b""
        longest = tlv.find(inside, 0x9F65) or b""
    except tlv.TlvError:
        longest = b""  # whatever it says, it has no limit in it
    if longest in (b"", b"\xff"):
        return MAX_EXTENDED_RESPONSE
    return max(int.from_bytes(longest, "big"), _LEAST_LIMIT)


def protocols(transport: Transport) -> list[tuple[int, int]]:
    """Secure channel protocols and their options i that the selected security domain offers, by its card
    recognition data; empty where it has none. i & 1 of SCP03 asks for challenges of 16 bytes.

    Raises:
        MalformedResponse: the data is no sequence of data objects.
    """
    command = commands.get_data(_CARD_DATA)
    data, sw = transport.transmit(command.encode())
    if sw != _OK:
        return []
    try:
        # Some cards leave the outer tag out.
        inside = tlv.find(tlv.find(data, 0x66) or data, 0x73) or b""
        oids = [value for tag, outer in tlv.decode(inside) if tag == 0x64 for _, value in tlv.decode(outer)]
    except tlv.TlvError as error:
        raise MalformedResponse(command.name, str(error)) from None
    return [
        (oid[len(_SCP_OID)], oid[-1])
        for oid in oids
        if oid.startswith(_SCP_OID) and len(oid) == len(_SCP_OID) + 2
    ]


class CardManager:
    """The security domain at the other end of `channel`.

    Every method raises `CommandRefused` where the card refuses, and the channel's own faults.
    """

    def __init__(self, channel: SecureChannel) -> None:
        self.channel = channel

    def registry(self, scope: Scope) -> list[RegistryEntry]:
        """Entries of the registry (GET STATUS); empty where there are none.

        Raises:
            MalformedResponse: the card's list is not one, or never ends.
        """
        data = b""
        for turn in range(_MAX_ANSWERS):
            response = self.channel.send(commands.get_status(scope, following=turn > 0))
            if response.sw == _NOT_FOUND:
                break
            if response.sw not in (_OK, _MORE):
                raise CommandRefused("GET STATUS", response.sw)
            data += response.data
            if response.sw == _OK:
                break
        else:
            raise MalformedResponse("GET STATUS", "the list does not end")
        try:
            return [_entry(value) for tag, value in tlv.decode(data) if tag == 0xE3]
        except (tlv.TlvError, KeyError, IndexError) as error:
            raise MalformedResponse("GET STATUS", str(error)) from None

    def card_state(self) -> CardState:
        """Life cycle state of the card.

        Raises:
            MalformedResponse: the card names none, or none that exists.
        """
        entries = self.registry(Scope.ISSUER_SECURITY_DOMAIN)
        try:
            return CardState(entries[0].state)
        except (IndexError, ValueError):
            raise MalformedResponse("GET STATUS", "no life cycle state of the card") from None

    def set_card_state(self, state: CardState) -> None:
        """Move the card on in its life cycle; only CARD_LOCKED can be left again, back to SECURED."""
        self.channel.command(commands.set_status(Scope.ISSUER_SECURITY_DOMAIN, state))

    def install(
        self,
        load_file: bytes,
        module: bytes,
        instance: bytes,
        privileges: Privilege = Privilege.NONE,
        parameters: bytes = b"",
    ) -> None:
        """Make an application of a module that is on the card, and make it selectable."""
        self.channel.command(
            commands.install_for_install(load_file, module, instance, privileges, parameters)
        )

    def personalize(self, instance: bytes, groups: Sequence[Dgi]) -> None:
        """Give an application its data: INSTALL [for personalization], then STORE DATA."""
        self.channel.command(commands.install_for_personalization(instance))
        for block in commands.store_data(self.channel.messaging, groups, self.channel.longest()):
            self.channel.command(block)

    def replace_keys(self, keys: KeySet[SoftwareKey], replaces: int = 0) -> None:
        """Put a key set on the card, in place of version `replaces` or (0) beside the others.

        Raises:
            KeyCheckFailed: the card confirms other check values than ours.
        """
        answer = self.channel.command(commands.put_key(self.channel.messaging, keys, replaces))
        expected = commands.put_key_confirmation(keys)
        if answer != expected:
            raise KeyCheckFailed(expected.hex().upper(), answer.hex().upper())

    def delete(self, aid: bytes, *, related: bool = False) -> bool:
        """Delete an application or load file; whether it was there."""
        accept = (_OK, _NOT_FOUND, _APPLICATION_NOT_FOUND)
        response = self.channel.send(commands.delete(aid, related=related))
        if response.sw not in accept:
            raise CommandRefused("DELETE", response.sw)
        return response.sw == _OK

    def delete_keys(self, version: int) -> None:
        """Delete a key set."""
        self.channel.command(commands.delete_keys(version))


def _entry(value: bytes) -> RegistryEntry:
    objects = list(tlv.decode(value))
    given = dict(objects)
    return RegistryEntry(
        given[0x4F],
        given[0x9F70][0],
        given.get(0xC5, b""),
        tuple(part for tag, part in objects if tag == 0x84),
    )
