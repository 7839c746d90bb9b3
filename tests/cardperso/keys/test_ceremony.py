"""Key ceremonies: split, carried away, brought back, put together, written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cardperso.keys import ceremony
from services.cardperso.keys.ceremony import Component, Occasion
from services.cardperso.keys.errors import CeremonyRefused, KeyExists, KeyNotFound
from services.cardperso.keys.keystore import KeyKind, KeyRef, Keystore
from services.cardperso.keys.symmetric import SoftwareKey, check_value

MASTER, SIGNER = KeyRef("isd-master", 0x30), KeyRef("ceremony", 1)
OCCASION = Occasion("Jakarta, key room", datetime(2026, 3, 2, 2, 0, tzinfo=UTC), ("Witness W",))
KEY = SoftwareKey("AES", bytes(range(32)))


def two() -> list[Component]:
    return ceremony.split(KEY, ["A", "B"])


@given(st.binary(min_size=16, max_size=16).filter(any), st.integers(2, 5))
def test_all_components_make_the_key_again(value: bytes, count: int) -> None:
    key = SoftwareKey("AES", value)
    components = ceremony.split(key, [f"custodian {number}" for number in range(count)])
    assert ceremony.combine(components, check_value(key)) == key
    assert all(component.value != value for component in components)


def test_a_component_survives_paper() -> None:
    for component in two():
        paper = component.paper()
        assert ceremony.read_component(component.custodian, "AES", paper) == component
        assert component.value.hex() not in repr(component)


def test_a_typing_error_is_noticed_before_the_other_custodian_is_asked() -> None:
    component = two()[0]
    paper = component.paper()
    wrong = ("0" if paper[0] != "0" else "1") + paper[1:]
    with pytest.raises(CeremonyRefused, match="typing error") as caught:
        ceremony.read_component("A", "AES", wrong)
    assert caught.value.field == "A"
    for text in ("", paper[4:], paper.replace("/", ""), "not hexadecimal / 000000"):
        with pytest.raises(CeremonyRefused):
            ceremony.read_component("A", "AES", text)


@pytest.mark.parametrize("custodians", [[], ["A"], ["A", "A"], ["A", ""]])
def test_a_key_needs_two_custodians(custodians: list[str]) -> None:
    with pytest.raises(CeremonyRefused, match="two custodians"):
        ceremony.split(KEY, custodians)


def test_components_that_do_not_belong_together_are_refused() -> None:
    a, b = two()
    with pytest.raises(CeremonyRefused):
        ceremony.combine([a])
    with pytest.raises(CeremonyRefused, match="same component"):
        ceremony.combine([a, Component("B", "AES", a.value)])
    with pytest.raises(CeremonyRefused, match="different lengths"):
        ceremony.combine([a, Component("B", "AES", b.value[:16])])
    with pytest.raises(CeremonyRefused, match="check value"):
        ceremony.combine([a, Component("B", "AES", bytes(31) + b"\1")], check_value(KEY))


def test_the_store_holds_the_key_and_the_protocol_says_so(store: Keystore) -> None:
    store.generate(SIGNER, KeyKind.SIGNING)
    components = two()
    protocol = ceremony.hold(
        store,
        MASTER,
        KeyKind.AES_MASTER,
        components,
        occasion=OCCASION,
        signer=SIGNER,
        expected=check_value(KEY),
    )
    assert store.symmetric(MASTER).cmac(b"x") == KEY.cmac(b"x")
    statement = ceremony.verify_protocol(protocol, store.public_key(SIGNER))
    assert statement["key"] == {
        "name": "isd-master",
        "version": 0x30,
        "kind": "aes-master",
        "bytes": 32,
        "check_value": check_value(KEY).hex().upper(),
    }
    assert [entry["custodian"] for entry in statement["components"]] == ["A", "B"]
    assert [entry["check_value"] for entry in statement["components"]] == [
        component.check_value.hex().upper() for component in components
    ]
    for secret in (KEY.value, *(component.value for component in components)):
        assert secret.hex() not in protocol.lower()


def test_a_changed_protocol_does_not_verify(store: Keystore) -> None:
    for ref in (SIGNER, KeyRef("other", 1)):
        store.generate(ref, KeyKind.SIGNING)
    protocol = ceremony.hold(store, MASTER, KeyKind.AES_MASTER, two(), occasion=OCCASION, signer=SIGNER)
    with pytest.raises(CeremonyRefused):
        ceremony.verify_protocol(protocol, store.public_key(KeyRef("other", 1)))
    content = json.loads(protocol)
    content["statement"]["witnesses"] = ["Somebody else"]
    for text in (json.dumps(content), "", "[]", "{}"):
        with pytest.raises(CeremonyRefused):
            ceremony.verify_protocol(text, store.public_key(SIGNER))


def test_nothing_is_stored_when_the_ceremony_stops(store: Keystore) -> None:
    with pytest.raises(KeyNotFound):
        ceremony.hold(store, MASTER, KeyKind.AES_MASTER, two(), occasion=OCCASION, signer=SIGNER)
    store.generate(SIGNER, KeyKind.SIGNING)
    alone = Occasion("Jakarta", OCCASION.at, ("A",))
    with pytest.raises(CeremonyRefused, match="witness"):
        ceremony.hold(store, MASTER, KeyKind.AES_MASTER, two(), occasion=alone, signer=SIGNER)
    with pytest.raises(CeremonyRefused, match="check value"):
        ceremony.hold(
            store,
            MASTER,
            KeyKind.AES_MASTER,
            two(),
            occasion=OCCASION,
            signer=SIGNER,
            expected=b"\0\0\0",
        )
    assert [info.ref for info in store.contents()] == [SIGNER]
    ceremony.hold(store, MASTER, KeyKind.AES_MASTER, two(), occasion=OCCASION, signer=SIGNER)
    with pytest.raises(KeyExists):
        ceremony.hold(store, MASTER, KeyKind.AES_MASTER, two(), occasion=OCCASION, signer=SIGNER)
