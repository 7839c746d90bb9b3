"""Put a plan on a card, and read it back."""

from __future__ import annotations

from enum import Enum

from services.cardperso import tlv
from services.cardperso.chip import commands
from services.cardperso.chip.plan import ChipPlan
from services.cardperso.chip.profile import ChipFile, Profile
from services.cardperso.pcsc.errors import CardStatusError
from services.cardperso.pcsc.session import CardSession

_NOT_FOUND = 0x6A82
_OK = 0x9000
_END_OF_FILE = 0x6282


class Application(Enum):
    """What a card holds under the profile's name."""

    NONE = "none"
    UNFINISHED = "unfinished"
    SEALED = "sealed"


def inspect(card: CardSession, profile: Profile) -> Application:
    """Whether the application exists and whether it was activated (life cycle byte, 7816-4, 7.4.10)."""
    response = card.transmit(commands.select(profile))
    if response.sw == _NOT_FOUND:
        return Application.NONE
    if response.sw != _OK:
        raise CardStatusError(card.reader, "SELECT", response.sw)
    parameters = tlv.find(response.data, 0x62) or b""
    life_cycle = (tlv.find(parameters, 0x8A) or b"\0")[0]
    return Application.SEALED if life_cycle & 0xFC == 0x04 else Application.UNFINISHED


def write(card: CardSession, plan: ChipPlan, found: Application) -> None:
    """Write the whole plan and seal it. An unfinished application is deleted and written anew.

    Raises:
        PcscFault: the card failed; what it holds now is undefined.
    """
    if found is Application.UNFINISHED:
        card.command(commands.delete_application(plan.profile))
    card.command(commands.create_application(plan.profile))
    for file, content in plan.contents:
        card.command(commands.create_file(file, len(content)))
        block = card.traits.write_block
        for offset in range(0, len(content), block):
            card.command(commands.update(offset, content[offset : offset + block]))
    card.command(commands.activate_application(plan.profile))


def read_back(card: CardSession, plan: ChipPlan) -> int:
    """Read everything after the power was off; the number of bytes that differ from the plan."""
    card.power_cycle()
    if inspect(card, plan.profile) is not Application.SEALED:
        return sum(len(content) for _, content in plan.contents)
    return sum(differing(content, _read(card, file, len(content))) for file, content in plan.contents)


def differing(expected: bytes, found: bytes) -> int:
    """Positions at which two strings differ; a position that only one of them has counts too."""
    return sum(a != b for a, b in zip(expected, found, strict=False)) + abs(len(expected) - len(found))


def _read(card: CardSession, file: ChipFile, size: int) -> bytes:
    content = b""
    while len(content) < size:
        length = min(card.traits.read_block, size - len(content))
        response = card.transmit(commands.read(file, len(content), length))
        if response.sw not in (_OK, _END_OF_FILE) or not response.data:
            break
        content += response.data
    return content
