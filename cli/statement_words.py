"""The words of published statements: Indonesian first, English beside it; numbers, days and times as they are
written in Indonesia, each time in the location's own zone.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, NamedTuple

from cli.places import CENTRE, name_of
from services.common.zones import zone_of


class Words(NamedTuple):
    """One thing in both languages."""

    indonesian: str
    english: str


#: In the order in which stock is lived with.
_CONDITIONS: Final = {
    "on-hand": Words("Tersedia", "free"),
    "reserved": Words("Dipesan untuk pencetakan", "held for cards"),
    "allocated": Words("Disiapkan untuk dikirim", "set aside to be sent"),
    "in-transit": Words("Dalam perjalanan ke sini", "on the way here"),
    "pending": Words("Ditahan", "set aside"),
    "consumed": Words("Menjadi KTP-el", "became cards, in all"),
    "spoiled": Words("Rusak, belum dimusnahkan", "spoiled, not yet destroyed"),
    "withdrawn": Words("KTP-el yang ditarik", "cards that came back"),
    "conveyed": Words("Dikirim untuk dimusnahkan", "sent to be destroyed"),
    "destroyed": Words("Dimusnahkan", "destroyed, in all"),
    "missing": Words("Hilang", "missing"),
    "lent": Words("Dipinjamkan", "lent to others"),
    "borrowed": Words("Dipinjam", "borrowed"),
    "found": Words("Ditemukan saat penghitungan", "found by counting"),
    "outstanding": Words("Belum dikirim pemasok", "owed by the supplier"),
    "contracted": Words("Dijanjikan kontrak", "promised by contract"),
}
_ITEMS: Final = {
    "blank": Words("Blangko KTP-el", "blank cards"),
    "ribbon": Words("Pita cetak", "ribbons"),
    "film": Words("Film pelapis", "film"),
}
_KINDS: Final = {
    "contract.signed": Words("Kontrak ditandatangani", "contract signed"),
    "contract.amended": Words("Kontrak diubah", "contract amended"),
    "contract.terminated": Words("Kontrak diakhiri", "contract terminated"),
    "supply.received": Words("Pasokan diterima", "supply received"),
    "lot.received": Words("Lot diterima dari pemasok", "lot received"),
    "lot.reversed": Words("Penerimaan lot dibatalkan", "lot taken back"),
    "allocation.created": Words("Alokasi dibuat", "allocated"),
    "allocation.cancelled": Words("Alokasi dibatalkan", "allocation cancelled"),
    "allocation.dispatched": Words("Dikirim", "dispatched"),
    "allocation.received": Words("Diterima", "received"),
    "blank.reserved": Words("Dipesan untuk pencetakan", "held for a card"),
    "blank.released": Words("Pesanan dilepas", "given back unused"),
    "blank.consumed": Words("Menjadi KTP-el", "became a card"),
    "blank.spoiled": Words("Rusak saat pencetakan", "spoiled in printing"),
    "card.voided": Words("KTP-el dibatalkan", "card rejected"),
    "card.withdrawn": Words("KTP-el ditarik", "card came back"),
    "conveyance.sent": Words("Dikirim untuk dimusnahkan", "sent to be destroyed"),
    "conveyance.received": Words("Diterima untuk dimusnahkan", "arrived to be destroyed"),
    "stock.moved": Words("Dipindahkan", "moved"),
    "stock.used": Words("Dipakai", "used"),
    "stock.spoiled": Words("Rusak", "spoiled"),
    "stock.destroyed": Words("Dimusnahkan", "destroyed"),
    "stock.reversed": Words("Pencatatan dibatalkan", "booking taken back"),
    "pending.opened": Words("Ditahan sementara", "set aside"),
    "pending.posted": Words("Penahanan diselesaikan", "carried out"),
    "pending.voided": Words("Penahanan dilepas", "let go"),
    "pending.expired": Words("Penahanan kedaluwarsa", "expired"),
    "shipment.reversed": Words("Pengiriman dibatalkan", "shipment taken back"),
    "receipt.short": Words("Kurang saat diterima", "missing on receipt"),
    "receipt.damaged": Words("Rusak saat diterima", "damaged on receipt"),
    "receipt.surplus": Words("Lebih saat diterima", "too many on receipt"),
    "count.adjusted": Words("Penyesuaian hasil hitung", "corrected by a count"),
    "loan.owed": Words("Utang pinjaman", "owed for a loan"),
    "loan.returned": Words("Pinjaman dikembalikan", "loan returned"),
}
_DAYS: Final = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
_MONTHS: Final = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
_ORDER: Final = list(_CONDITIONS)


def condition(name: str) -> Words:
    """A condition of stock; one that this program does not know yet is named as the books do."""
    return _CONDITIONS.get(name, Words(name, ""))


def rank(name: str) -> tuple[int, str]:
    """Where a condition stands in a table."""
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def item(name: str) -> Words:
    """An item of the catalogue."""
    return _ITEMS.get(name, Words(name.capitalize(), ""))


def kind(name: str) -> Words:
    """What happened."""
    return _KINDS.get(name, Words(name.replace(".", " "), ""))


def place(location: str) -> str:
    """The name of a location, its code where it has none."""
    return "Gudang pusat" if location == CENTRE else name_of(location) or location


def thousands(number: int) -> str:
    """A number with dots, and a minus sign that is as wide as a digit."""
    return f"{number:,}".replace(",", ".").replace("-", "−")


def long_day(day: str) -> str:
    """An ISO day as "Senin, 2 Maret 2026"."""
    found = date.fromisoformat(day)
    return f"{_DAYS[found.weekday()]}, {short_day(found)}"


def short_day(day: date) -> str:
    """A day as "2 Maret 2026"."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def clock(moment: str, location: str) -> str:
    """A moment in UTC as "2 Maret 2026 pukul 08.30 WIB" of the location."""
    zone = zone_of(location)
    local = datetime.fromisoformat(moment).astimezone(zone.offset)
    return f"{short_day(local.date())} pukul {local:%H.%M} {zone.short}"
