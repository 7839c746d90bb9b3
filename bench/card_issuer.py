"""Somebody who issues, and somebody to issue a card to, for `bench.card`."""

from __future__ import annotations

import datetime as dt
import struct
from pathlib import Path

from services.cardperso.globalplatform import CardType
from services.cardperso.holder import BloodType, Finger, Holder, MaritalStatus, Religion, Sex
from services.cardperso.issuer import Issuer, Schemes
from services.cardperso.keys.authority import Authorities
from services.cardperso.keys.diversify import Scheme
from services.cardperso.keystores import file_keystore
from services.common.clock import Clock
from sim import portrait, signature
from sim.card.globalplatform import MODULE_AID, PACKAGE_AID
from sim.population import people

_MINUTIAE = 60


def issuer_of(folder: Path, clock: Clock) -> Issuer:
    """An issuer with development keys and certificates in `folder`."""
    issuer = Issuer(
        file_keystore(folder / "keys", folder / "passphrase", development=True),
        Authorities(folder / "certificates", "ID", "Tunggal bench"),
        CardType(PACKAGE_AID, MODULE_AID),
        Schemes(Scheme.KDF3, Scheme.KDF3),
        development=True,
        clock=clock,
    )
    issuer.prepare()
    return issuer


def person() -> Holder:
    """A person with everything that a chip can hold."""
    drawn = people(1, 1)[0]
    return Holder(
        record_id="4f6c1f0e-8f4a-4f6e-9d5c-0f6f3f1f9a10",
        nik="3216014508920003",
        full_name="SITI NURHALIZA RAHMAWATI",
        birth_place="BEKASI",
        birth_date=dt.date(1992, 8, 5),
        sex=Sex.FEMALE,
        blood_type=BloodType.O,
        street="JL. MELATI NO. 12 KP. CIKARANG",
        rt="004",
        rw="008",
        village="SUKADANAU",
        district_code="32.16.01",
        district="TARUMAJAYA",
        regency="KABUPATEN BEKASI",
        province="JAWA BARAT",
        religion=Religion.ISLAM,
        marital_status=MaritalStatus.MARRIED,
        occupation="KARYAWAN SWASTA",
        nationality="WNI",
        issue_region="32.16",
        issue_date=dt.date(2026, 11, 21),
        face=portrait.draw(drawn),
        signature=signature.draw(drawn),
        fingers=(Finger(2, _minutiae(), 80), Finger(7, _minutiae(), 75)),
    )


def _minutiae() -> bytes:
    """An ISO/IEC 19794-2:2005 record of one finger with minutiae on a spiral."""
    total = 24 + 4 + 6 * _MINUTIAE + 2
    record = struct.pack(">4s4sIHHHHHBB", b"FMR\0", b" 20\0", total, 0, 388, 374, 197, 197, 1, 0)
    record += struct.pack(">BBBB", 2, 0, 80, _MINUTIAE)
    for n in range(_MINUTIAE):
        record += struct.pack(">HHBB", 0x4000 | (100 + 3 * n), 90 + (7 * n) % 200, (11 * n) % 256, 60)
    return record + b"\0\0"
