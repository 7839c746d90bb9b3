"""Prices as people write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from services.common.errors import InvalidArgument

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


def smallest(currency: str, amount: str) -> int:
    """The amount in the smallest unit of its currency.

    Raises :class:`InvalidArgument` for what is none, or is finer than the currency. A point is that of the
    decimals and commas part thousands, as in :func:`written`: 9.500 and 9,50 are no price in rupiah, because
    whoever wrote them meant nine thousand five hundred, and nine and a half.
    """
    places = _DECIMALS.get(currency, 2)
    decimals = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    if re.fullmatch(rf"([0-9]{{1,3}}(,[0-9]{{3}})+|[0-9]{{1,18}}){decimals}", amount.strip()):
        return int(Decimal(amount.replace(",", "")).scaleb(places))
    wanted = f"a point and at most {places} decimals" if places else "no decimals"
    raise InvalidArgument(
        "PRICE_MALFORMED",
        f"{amount!r} is no price in {currency}.",
        field="price",
        remedy=f"Write it in {currency} with {wanted}, such as 9500000 or 9,500,000.",
    )
