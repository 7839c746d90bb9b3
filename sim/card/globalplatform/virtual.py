"""A GlobalPlatform card on a reader of vsmartcard's vpcd."""

from __future__ import annotations

from pathlib import Path

from sim.card.answer import Traits
from sim.card.faults import Faults, Pace
from sim.card.globalplatform.card import GlobalPlatformCard
from sim.card.globalplatform.persistent import IMAGE_CAPACITY
from sim.card.globalplatform.settings import CardSettings, ChannelFaults
from sim.card.virtual import VPCD_PORT, VirtualCard


class VirtualGlobalPlatformCard(VirtualCard):
    """As `VirtualCard`, with another operating system on the chip.

    Args:
        image: file of the EEPROM; made with a random UID where it is missing.
        port: TCP port of the vpcd reader.
        host: where vpcd listens.
        uid: UID for a new image.
        traits: buffer size and protocol.
        faults: what goes wrong with chip and power.
        settings: secure channel, keys and tries of a fresh card.
        channel_faults: what goes wrong with the secure channel.
        capacity: bytes of EEPROM of a new image.
        pace: how long a real chip takes.
    """

    def __init__(
        self,
        image: Path,
        port: int = VPCD_PORT,
        host: str = "127.0.0.1",
        *,
        uid: bytes | None = None,
        traits: Traits | None = None,
        faults: Faults | None = None,
        settings: CardSettings | None = None,
        channel_faults: ChannelFaults | None = None,
        capacity: int = IMAGE_CAPACITY,
        pace: Pace | None = None,
    ) -> None:
        super().__init__(
            image, port, host, uid=uid, traits=traits, faults=faults, capacity=capacity, pace=pace
        )
        # Both operating systems take and give the same: exchange, reset, atr.
        self.card = GlobalPlatformCard(self.memory, traits, settings, channel_faults)  # type: ignore[assignment]
