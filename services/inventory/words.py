"""Numbers of things as people write them."""

from __future__ import annotations


def counted(number: float, one: str, many: str = "") -> str:
    """So many of a thing: ``1 blank``, ``7,000,000 blanks``; a fraction is rounded."""
    shown = f"{number:,.0f}"
    return f"{shown} {noun(int(shown == '1'), one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """The word for so many of a thing; ``many`` is the plural where it is not ``one`` with an s."""
    return one if number == 1 else many or f"{one}s"
