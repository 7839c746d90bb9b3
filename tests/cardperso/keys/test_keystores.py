"""What every keystore does, whether it is a file or a token; then what each does of its own."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec

from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.scp03 import Scp03
from services.cardperso.keys.diversify import Scheme, chip_keys
from services.cardperso.keys.errors import (
    KeyExists,
    KeyMismatch,
    KeyNotFound,
    KeystoreDamaged,
    KeystoreLocked,
    KeystoreUnavailable,
)
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keyset import KeySet
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore, card_keys, newest, rotate, versions
from services.cardperso.keys.symmetric import SoftwareKey, check_value
from services.cardperso.keys.token import TokenKeystore

PASSPHRASE, PIN = "correct horse battery staple", "271828"
MASTER = KeyRef("isd-master", 0x30)
OLD = KeyRef("isd-master-3des", 0x20)
SIGNER = KeyRef("document-signer", 1)
TRANSPORT = KeyRef("transport", 1)
KDD = bytes(range(10))


@pytest.mark.parametrize("size", [16, 24, 32])
def test_an_aes_master_in_the_store_computes_what_the_same_key_in_software_does(
    store: Keystore, size: int
) -> None:
    value = bytes(range(7, 7 + size))
    software = SoftwareKey("AES", value)
    info = store.import_key(MASTER, KeyKind.AES_MASTER, value)
    assert (info.size, info.check_value) == (size, check_value(software))
    master = store.symmetric(MASTER)
    assert (master.algorithm, master.size) == ("AES", size)
    for message in (b"", b"short", bytes(16), bytes(100)):
        assert master.cmac(message) == software.cmac(message)
    assert master.encrypt(bytes(range(48))) == software.encrypt(bytes(range(48)))
    for scheme in (Scheme.AN10922, Scheme.KDF3):
        assert card_keys(store, MASTER, scheme, KDD) == chip_keys(software, 0x30, scheme, KDD)


@pytest.mark.parametrize("size", [16, 24])
def test_a_triple_des_master_in_the_store_computes_what_the_same_key_in_software_does(
    store: Keystore, size: int
) -> None:
    value = bytes(range(8, 8 + size))
    software = SoftwareKey("TDES", value)
    store.import_key(OLD, KeyKind.TDES_MASTER, value)
    master = store.symmetric(OLD)
    assert check_value(master) == check_value(software)
    assert master.cmac(b"message") == software.cmac(b"message")
    for scheme in (Scheme.VISA2, Scheme.EMV, Scheme.AN10922):
        assert card_keys(store, OLD, scheme, KDD) == chip_keys(software, 0x20, scheme, KDD)


def test_static_keys_that_stay_in_the_store_open_the_same_session_as_in_software(store: Keystore) -> None:
    software = KeySet(0x30, *(SoftwareKey("AES", bytes([n] * 24)) for n in (1, 2, 3)))
    for number, key in enumerate((software.enc, software.mac, software.dek), start=1):
        store.import_key(KeyRef("factory", number), KeyKind.AES_MASTER, key.value)
    inside = KeySet(0x30, *(store.symmetric(KeyRef("factory", number)) for number in (1, 2, 3)))
    one, two = (Scp03(keys, bytes(range(8)), bytes(range(8, 16))) for keys in (software, inside))
    assert one.begin(SecurityLevel.ALL) == two.begin(SecurityLevel.ALL)
    assert one.encrypt_sensitive(bytes(32)) == two.encrypt_sensitive(bytes(32))


def test_a_signature_of_the_store_verifies_with_its_public_key_and_no_other(store: Keystore) -> None:
    store.generate(SIGNER, KeyKind.SIGNING)
    store.generate(KeyRef("other", 1), KeyKind.SIGNING)
    signature = store.sign(SIGNER, b"security object")
    algorithm = ec.ECDSA(hashes.SHA256())
    store.public_key(SIGNER).verify(signature, b"security object", algorithm)
    with pytest.raises(InvalidSignature):
        store.public_key(SIGNER).verify(signature, b"security objects", algorithm)
    with pytest.raises(InvalidSignature):
        store.public_key(KeyRef("other", 1)).verify(signature, b"security object", algorithm)


def test_a_wrapped_key_opens_under_the_wrapping_key_alone(store: Keystore) -> None:
    kek = bytes(range(32))
    store.import_key(TRANSPORT, KeyKind.WRAPPING, kek)
    chip = SoftwareKey("AES", bytes(range(100, 116)))
    wrapped = store.wrap(TRANSPORT, chip)
    assert wrapped == keywrap.aes_key_wrap(kek, chip.value)
    info = store.import_wrapped(TRANSPORT, wrapped, MASTER, KeyKind.AES_MASTER)
    assert info.check_value == check_value(chip)
    assert store.symmetric(MASTER).cmac(b"x") == chip.cmac(b"x")
    with pytest.raises(KeyMismatch):
        store.import_wrapped(TRANSPORT, wrapped[:-1] + b"\0", KeyRef("other", 1), KeyKind.AES_MASTER)


def test_a_key_does_nothing_that_its_kind_is_not_for(store: Keystore) -> None:
    store.generate(SIGNER, KeyKind.SIGNING)
    store.generate(MASTER, KeyKind.AES_MASTER, 16)
    store.generate(TRANSPORT, KeyKind.WRAPPING)
    with pytest.raises(KeyMismatch):
        store.symmetric(SIGNER)
    with pytest.raises(KeyMismatch):
        store.symmetric(TRANSPORT)
    with pytest.raises(KeyMismatch):
        store.sign(MASTER, b"message")
    with pytest.raises(KeyMismatch):
        store.wrap(MASTER, SoftwareKey("AES", bytes(16)))


@pytest.mark.parametrize(
    ("kind", "size"), [(KeyKind.AES_MASTER, 17), (KeyKind.TDES_MASTER, 32), (KeyKind.WRAPPING, 16)]
)
def test_a_size_that_the_kind_does_not_have_is_refused(store: Keystore, kind: KeyKind, size: int) -> None:
    with pytest.raises(KeyMismatch, match=str(size)):
        store.generate(MASTER, kind, size)
    with pytest.raises(KeyMismatch, match=str(size)):
        store.import_key(MASTER, kind, bytes(size))
    assert not store.contents()


def test_no_key_is_ever_overwritten(store: Keystore) -> None:
    before = store.generate(MASTER, KeyKind.AES_MASTER)
    for kind in (KeyKind.AES_MASTER, KeyKind.SIGNING):
        with pytest.raises(KeyExists, match="isd-master/48"):
            store.generate(MASTER, kind)
    with pytest.raises(KeyExists, match="isd-master/48"):
        store.import_key(MASTER, KeyKind.AES_MASTER, bytes(16))
    assert store.contents() == [before]


def test_a_new_version_serves_new_cards_while_the_old_one_serves_those_that_have_it(store: Keystore) -> None:
    store.generate(MASTER, KeyKind.AES_MASTER, 24)
    old = card_keys(store, MASTER, Scheme.KDF3, KDD)
    fresh = rotate(store, "isd-master")
    assert (fresh.ref.version, fresh.kind, fresh.size) == (0x31, KeyKind.AES_MASTER, 24)
    assert newest(store, "isd-master") == fresh
    assert [info.ref.version for info in versions(store, "isd-master")] == [0x30, 0x31]
    assert card_keys(store, MASTER, Scheme.KDF3, KDD) == old
    assert card_keys(store, fresh.ref, Scheme.KDF3, KDD).enc != old.enc


def test_versions_end_where_key_version_numbers_do(store: Keystore) -> None:
    store.generate(KeyRef("isd-master", 0x7F), KeyKind.AES_MASTER)
    with pytest.raises(KeyMismatch, match="128"):
        rotate(store, "isd-master")


def test_what_is_not_there_is_named(store: Keystore) -> None:
    with pytest.raises(KeyNotFound, match="isd-master"):
        store.symmetric(MASTER)
    with pytest.raises(KeyNotFound, match="isd-master"):
        store.sign(MASTER, b"")
    with pytest.raises(KeyNotFound, match="isd-master"):
        store.destroy(MASTER)
    with pytest.raises(KeyNotFound, match="isd-master"):
        newest(store, "isd-master")


def test_a_destroyed_key_is_gone_with_its_public_half(store: Keystore) -> None:
    store.generate(SIGNER, KeyKind.SIGNING)
    store.destroy(SIGNER)
    assert not store.contents()
    with pytest.raises(KeyNotFound):
        store.public_key(SIGNER)


def test_several_threads_may_use_one_store(store: Keystore) -> None:
    value = bytes(range(32))
    store.import_key(MASTER, KeyKind.AES_MASTER, value)
    store.generate(SIGNER, KeyKind.SIGNING)
    software, public = SoftwareKey("AES", value), store.public_key(SIGNER)
    wrong: list[object] = []

    def work(number: int) -> None:
        message = bytes([number]) * 40
        try:
            for _ in range(20):
                if store.symmetric(MASTER).cmac(message) != software.cmac(message):
                    wrong.append(number)
                public.verify(store.sign(SIGNER, message), message, ec.ECDSA(hashes.SHA256()))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_file_shows_neither_keys_nor_names(tmp_path: Path, file_store: FileKeystore) -> None:
    value = bytes(range(32))
    file_store.import_key(MASTER, KeyKind.AES_MASTER, value)
    path = tmp_path / "keystore.json"
    content = path.read_text()
    assert value.hex() not in content.lower()
    assert "isd-master" not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert value.hex() not in repr(file_store.symmetric(MASTER)).lower()


def test_the_file_opens_again_with_its_passphrase_and_with_no_other(
    tmp_path: Path, file_store: FileKeystore
) -> None:
    info = file_store.generate(SIGNER, KeyKind.SIGNING)
    path = tmp_path / "keystore.json"
    assert FileKeystore.open(path, PASSPHRASE).contents() == [info]
    with pytest.raises(KeystoreLocked):
        FileKeystore.open(path, PASSPHRASE + " ")
    with pytest.raises(KeyExists):
        FileKeystore.create(path, PASSPHRASE)
    with pytest.raises(KeystoreUnavailable, match=r"other\.json"):
        FileKeystore.open(tmp_path / "other.json", PASSPHRASE)


def test_two_processes_see_what_the_other_added_and_lose_nothing(
    tmp_path: Path, file_store: FileKeystore
) -> None:
    other = FileKeystore.open(tmp_path / "keystore.json", PASSPHRASE)
    file_store.generate(MASTER, KeyKind.AES_MASTER)
    other.generate(SIGNER, KeyKind.SIGNING)
    assert other.symmetric(MASTER).cmac(b"x") == file_store.symmetric(MASTER).cmac(b"x")
    assert file_store.contents() == other.contents()
    assert len(other.contents()) == 2


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sealed": 1}', '{"format": "x", "sealed": ""}'])
def test_a_file_that_is_no_keystore_is_named_damaged(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keystore.json"
    path.write_text(content)
    with pytest.raises(KeystoreDamaged):
        FileKeystore.open(path, PASSPHRASE)


def test_every_change_to_the_file_is_noticed(tmp_path: Path, file_store: FileKeystore) -> None:
    file_store.generate(MASTER, KeyKind.AES_MASTER)
    path = tmp_path / "keystore.json"
    content = json.loads(path.read_text())
    sealed = content["sealed"]
    for at in (0, len(sealed) // 2, len(sealed) - 8):
        other = "A" if sealed[at] != "A" else "B"
        path.write_text(json.dumps({**content, "sealed": sealed[:at] + other + sealed[at + 1 :]}))
        with pytest.raises(KeystoreDamaged):
            file_store.contents()
    path.write_text(json.dumps({**content, "more": 1}))
    with pytest.raises(KeystoreDamaged):
        file_store.contents()


def test_a_key_in_a_token_cannot_be_read(softhsm: str, token_label: str) -> None:
    pkcs11 = pytest.importorskip("pkcs11")
    store = TokenKeystore(softhsm, token_label, PIN)
    store.generate(MASTER, KeyKind.AES_MASTER)
    store.import_key(OLD, KeyKind.TDES_MASTER, bytes(range(16)))
    store.generate(SIGNER, KeyKind.SIGNING)
    store.close()
    with pkcs11.lib(softhsm).get_token(token_label=token_label).open(user_pin=PIN) as session:
        for ref in (MASTER, OLD):
            (key,) = session.get_objects({pkcs11.Attribute.LABEL: str(ref)})
            assert key[pkcs11.Attribute.SENSITIVE]
            assert not key[pkcs11.Attribute.EXTRACTABLE]
            with pytest.raises(pkcs11.exceptions.AttributeSensitive):
                _ = key[pkcs11.Attribute.VALUE]
        (private,) = session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY})
        assert not private[pkcs11.Attribute.EXTRACTABLE]


def test_a_token_says_whether_it_is_absent_or_its_pin_is_wrong(softhsm: str, token_label: str) -> None:
    with pytest.raises(KeystoreUnavailable, match="no such token"):
        TokenKeystore(softhsm, "no such token", PIN)
    with pytest.raises(KeystoreUnavailable):
        TokenKeystore("no-such-library.so", token_label, PIN)
    with pytest.raises(KeystoreLocked):
        TokenKeystore(softhsm, token_label, "000000")


# The binding grumbles about the search that it could not end.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_token_that_logged_us_out_is_named_and_then_serves_again(softhsm: str, token_label: str) -> None:
    store = TokenKeystore(softhsm, token_label, PIN)
    store.generate(MASTER, KeyKind.AES_MASTER)
    master = store.symmetric(MASTER)
    before = master.cmac(b"x")
    # Another library user, or the token itself, ends the session behind our back.
    store._line._session.close()
    with pytest.raises(KeystoreUnavailable):
        master.cmac(b"x")
    assert master.cmac(b"x") == before
    store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pin_that_was_refused_is_not_offered_again(
    softhsm: str, token_label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TokenKeystore(softhsm, token_label, PIN)
    store.close()
    # Somebody changed the PIN while the token was away.
    monkeypatch.setattr(store._line, "_pin", "000000")
    with pytest.raises(KeystoreLocked):
        store.contents()
    monkeypatch.setattr(store._line, "_pin", PIN)
    with pytest.raises(KeystoreLocked):
        store.contents()


@pytest.mark.parametrize(
    "change", [{"n": 3}, {"n": 2**30}, {"n": "1024"}, {"r": 1}, {"salt": "!"}, {"format": "x"}]
)
def test_a_header_that_nobody_wrote_is_named_damaged(
    tmp_path: Path, file_store: FileKeystore, change: dict[str, object]
) -> None:
    path = tmp_path / "keystore.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(KeystoreDamaged):
        FileKeystore.open(path, PASSPHRASE)
