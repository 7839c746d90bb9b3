"""Prices as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

#: Currencies whose smallest unit is not a hundredth, by the number of their decimals (ISO 4217).
_CURRENCIES: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DECIMALS: Final = {code: places for places, codes in _CURRENCIES.items() for code in codes.split()}


def written(currency: str, smallest: int) -> str:
    """An amount in the smallest unit of its currency as text: ``IDR 9,500,000.00``."""
    places = _DECIMALS.get(currency, 2)
    return f"{currency} {Decimal(smallest).scaleb(-places):,.{places}f}"
