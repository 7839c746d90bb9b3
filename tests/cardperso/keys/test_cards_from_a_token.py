"""Cards whose master keys, signer and reader keys never leave a PKCS#11 token."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cardperso.globalplatform import CardType
from services.cardperso.issuer import CARD_MASTER, Issuer, Schemes
from services.cardperso.job import State
from services.cardperso.keys import Scheme
from services.cardperso.keys.authority import Authorities
from services.cardperso.keys.errors import KeystoreLocked, KeystoreUnavailable
from services.cardperso.keystores import token_keystore
from services.common.clock import FixedClock
from sim.card.globalplatform import MODULE_AID, PACKAGE_AID
from tests.cardperso.card_bench import Bench
from tests.cardperso.conftest import MakeBlank
from tests.cardperso.keys.conftest import PIN


def issuer_on(module: str, label: str, pin: str, directory: Path, clock: FixedClock) -> Issuer:
    (directory / "pin").write_text(pin)
    return Issuer(
        token_keystore(module, label, directory / "pin"),
        Authorities(directory / "certificates", "ID", "Test"),
        CardType(PACKAGE_AID, MODULE_AID),
        Schemes(Scheme.KDF3, Scheme.KDF3),
        development=True,
        clock=clock,
    )


def test_a_card_is_made_with_keys_that_stay_in_the_token(
    bench: Bench, make_blank: MakeBlank, softhsm: str, token_label: str, tmp_path: Path, clock: FixedClock
) -> None:
    (tmp_path / "token").mkdir()
    bench.issuer = issuer_on(softhsm, token_label, PIN, tmp_path / "token", clock)
    bench.issuer.prepare()
    card = make_blank().insert()
    job = bench.run()
    assert (job.state, job.reason, job.chip_uid) == (State.PRINTED, "", card.uid)
    names = {info.ref.name for info in bench.issuer.store.contents()}
    assert names == {CARD_MASTER, "reader-master", "csca", "document-signer"}
    bench.issuer.close()
    bench.check_books()


def test_a_token_that_is_not_there_makes_jobs_wait_with_nothing_taken(
    softhsm: str, tmp_path: Path, clock: FixedClock
) -> None:
    absent = issuer_on(softhsm, "no such token", PIN, tmp_path, clock)
    with pytest.raises(KeystoreUnavailable):
        absent.signer()
    with pytest.raises(KeystoreUnavailable):
        absent.card_keys("04A1B2C3D4E5F6")


def test_a_wrong_pin_is_offered_once(
    softhsm: str, token_label: str, tmp_path: Path, clock: FixedClock
) -> None:
    locked = issuer_on(softhsm, token_label, "000000", tmp_path, clock)
    for _ in range(2):
        with pytest.raises(KeystoreLocked):
            locked.signer()
    # The second time nobody asked the token.
    (tmp_path / "pin").write_text(PIN)
    with pytest.raises(KeystoreLocked):
        locked.signer()
