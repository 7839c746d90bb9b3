"""Lists that services answer page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def every(call: Callable[[Any], Any], request: Any, field: str) -> list[Any]:
    """All of a list: what is in ``field`` of each page that ``call`` answers to ``request``."""
    request.page_size = 1000
    found: list[Any] = []
    while True:
        page = call(request)
        found += getattr(page, field)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
