"""What is printed: the texts of the card, by the names that templates use."""

from __future__ import annotations

from services.cardperso.chip import mrz
from services.cardperso.holder import BloodType, Holder, MaritalStatus, Religion, Sex

_SEX = {Sex.MALE: "LAKI-LAKI", Sex.FEMALE: "PEREMPUAN"}
_RELIGION = {
    Religion.UNKNOWN: "-",
    Religion.ISLAM: "ISLAM",
    Religion.PROTESTANT: "KRISTEN",
    Religion.CATHOLIC: "KATOLIK",
    Religion.HINDU: "HINDU",
    Religion.BUDDHIST: "BUDDHA",
    Religion.CONFUCIAN: "KHONGHUCU",
    Religion.BELIEF: "KEPERCAYAAN",
}
_MARITAL_STATUS = {
    MaritalStatus.SINGLE: "BELUM KAWIN",
    MaritalStatus.MARRIED: "KAWIN",
    MaritalStatus.DIVORCED: "CERAI HIDUP",
    MaritalStatus.WIDOWED: "CERAI MATI",
}
_CITIZEN = "WNI"


def texts(holder: Holder, chip_uid: str) -> dict[str, str]:
    """Texts of a card as the civil registry writes them: capitals, day-month-year, a dash for what is not
    known.
    """
    return {
        "province": f"PROVINSI {_bare(holder.province, 'PROVINSI').upper()}",
        "regency": _regency(holder.regency),
        "nik": holder.nik,
        "full_name": holder.full_name.upper(),
        "birth_place": holder.birth_place.upper(),
        "birth_date": f"{holder.birth_date:%d-%m-%Y}",
        "sex": _SEX[holder.sex],
        "blood_type": "-" if holder.blood_type is BloodType.UNKNOWN else holder.blood_type.name,
        "street": _known(holder.street),
        "rt_rw": f"{_known(holder.rt)}/{_known(holder.rw)}" if holder.rt or holder.rw else "-",
        "village": _known(holder.village),
        "district": holder.district.upper(),
        "religion": _RELIGION[holder.religion],
        "marital_status": _MARITAL_STATUS[holder.marital_status],
        "occupation": _known(holder.occupation),
        "nationality": holder.nationality,
        "valid_until": "SEUMUR HIDUP" if holder.nationality == _CITIZEN else "SESUAI IZIN TINGGAL",
        "issue_place": _bare(_regency(holder.regency), "KABUPATEN"),
        "issue_date": f"{holder.issue_date:%d-%m-%Y}",
        "chip_uid": " ".join(chip_uid[at : at + 2] for at in range(0, len(chip_uid), 2)),
    }


def zone(holder: Holder) -> dict[str, str]:
    """The three lines of the machine readable zone.

    Raises:
        ChipRefusal: the name has no letter that it can carry.
    """
    return {f"mrz_{number}": line for number, line in enumerate(mrz.of(holder).lines, 1)}


def _regency(name: str) -> str:
    """A regency with its kind in front: tables of regions write "KAB. BEKASI", cards "KABUPATEN BEKASI"."""
    upper = name.upper()
    for short in ("KAB. ", "KAB "):
        if upper.startswith(short):
            return "KABUPATEN " + upper.removeprefix(short)
    return upper


def _known(value: str) -> str:
    return value.strip().upper() or "-"


def _bare(name: str, kind: str) -> str:
    return name.upper().removeprefix(kind + " ")
