"""Page tokens and page sizes of list methods (AIP-158)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from services.common.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


def page_size(requested: int) -> int:
    """The page size to use: 100 when none is asked for, never more than 1000; a negative one is refused."""
    if requested < 0:
        raise InvalidArgument(
            "PAGE_SIZE_NEGATIVE",
            f"The page size is {requested}.",
            field="page_size",
            remedy=f"Send 0 for the default of {DEFAULT_PAGE_SIZE}, or up to {MAX_PAGE_SIZE}.",
        )
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_token(position: dict[str, Any]) -> str:
    """An opaque token for the position (JSON values) after the last row of a page."""
    text = json.dumps(position, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(token: str) -> dict[str, Any]:
    """The position inside a token made by :func:`encode_token`; ``{}`` for the empty token of a first page.

    Raises :class:`InvalidArgument` on field ``page_token`` when the token is not one of ours.
    """
    if not token:
        return {}
    try:
        padded = token + "=" * (-len(token) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _broken() from error
    if not isinstance(position, dict):
        raise _broken()
    return position


def _broken() -> InvalidArgument:
    return InvalidArgument(
        "PAGE_TOKEN_BROKEN",
        "The page token was not made by this service.",
        field="page_token",
        remedy="Send next_page_token of the previous answer unchanged, or nothing to start again.",
    )
