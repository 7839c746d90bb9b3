"""Settings of the inventory; it needs none beyond those of every service."""

from __future__ import annotations

from typing import ClassVar

from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the inventory can be told."""

    service: ClassVar[str] = "inventory"
