"""Lists that services answer page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def paged(call: Callable[[Any], Any], request: Any, field: str) -> Iterator[Any]:
    """One after the other what is in ``field`` of all the pages that ``call`` answers to ``request``."""
    request.page_size = 1000
    while True:
        page = call(request)
        yield from getattr(page, field)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def every(call: Callable[[Any], Any], request: Any, field: str) -> list[Any]:
    """All of such a list."""
    return list(paged(call, request, field))
