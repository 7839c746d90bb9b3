"""A verifier of published statements written from docs/statements.md alone: it shares no code with the
service that signs and the command that verifies.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from tunggal.inventory.v1 import movements_pb2
from tunggal.inventory.v1 import statements_pb2 as pb

from cli.statement_check import check, trusted_keys
from cli.statement_page import write_index, write_keys, write_page
from services.common.clock import FixedClock
from services.common.errors import AlreadyExists
from services.inventory import adapter
from services.inventory.statement.verify import Published
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books

SITE = f"{BEKASI}:mall-01"


def canonical(statement: Any) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def require(fact: bool, what: str) -> None:
    if not fact:
        raise ValueError(what)


def verify(folder: Path, trusted: list[Path]) -> int:
    """How many statements of one location are good; raises ``ValueError`` or ``InvalidSignature``."""
    keys = {}
    for file in trusted:
        key = load_pem_public_key(file.read_bytes())
        assert isinstance(key, Ed25519PublicKey)
        keys[hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()] = key
    before: dict[str, Any] | None = None
    count = 0
    for file in sorted(folder.glob("*.json")):
        envelope = json.loads(file.read_text("utf-8"))
        statement = envelope["statement"]
        keys[envelope["key_id"]].verify(base64.b64decode(envelope["signature"]), canonical(statement))
        require(statement["format"] == "tunggal.stock-statement/1", "format")
        opening = {(each["item"], each["condition"]): each["opening"] for each in statement["levels"]}
        if before is None:
            require(statement["sequence"] == 1 and statement["previous"] == "0" * 64, "begins later")
        else:
            require(statement["previous"] == hashlib.sha256(canonical(before)).hexdigest(), "chain")
            require(statement["sequence"] == before["sequence"] + 1, "number")
            day = date.fromisoformat(before["day"]) + timedelta(days=1)
            require(statement["day"] == day.isoformat(), "day")
            closing = {(each["item"], each["condition"]): each["closing"] for each in before["levels"]}
            for level in {*opening, *closing}:
                require(opening.get(level, 0) == closing.get(level, 0), "opening")
        for row in statement["levels"]:
            of_item = "" if row["item"] == "blank" else f"{row['item']}/"
            account = f"{statement['location']}/{of_item}{row['condition']}"
            for side, name in (("to", "added"), ("from", "removed")):
                moved = sum(each["quantity"] for each in statement["movements"] if each[side] == account)
                require(moved == row[name], name)
            require(row["opening"] + row["added"] - row["removed"] == row["closing"], "sum")
        before = statement
        count += 1
    return count


@pytest.fixture
def published(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Books, Path]]:
    """A folder with four days of a regency, one of them quiet, and the books that they are of."""
    monkeypatch.setattr(adapter, "caller", lambda _: "operator/cli")
    books = Books(f"sqlite:///{tmp_path}/tunggal.db", clock, tmp_path)
    books.stock_up(1000)
    books.ship(BEKASI, 500)
    books.night()
    books.print_card(BEKASI, "04AA000001")
    books.send(
        movements_pb2.RecordRefusalRequest(
            request_id=new_id(),
            location=BEKASI,
            item="blank",
            people=3,
            reason='habis <b>"✓"</b>\n{{ 7 * 7 }}',
            operator="warga",
        )
    )
    books.night()
    books.night()
    books.spoil(BEKASI)
    books.night()
    publish(books, tmp_path / "public")
    yield books, tmp_path / "public"
    books.database.dispose()


def publish(books: Books, folder: Path, first_day: str = "", location: str = BEKASI) -> None:
    key = books.send(pb.GetStatementKeyRequest())
    write_keys(folder, key.public_key, {each.key_id: each.public_key for each in key.used_keys})
    for each in books.send(pb.ListStatementsRequest(location=location, first_day=first_day)).statements:
        write_page(folder, Published(each.content, each.signature, each.key_id))
    write_index(folder, key.key_id)


def test_what_is_published_can_be_verified_from_the_documentation_alone(
    published: tuple[Books, Path],
) -> None:
    _, folder = published
    assert verify(folder / BEKASI, [folder / "key.pem"]) == 4


@pytest.mark.parametrize("harm", ["changed", "removed", "swapped", "repeated"])
def test_any_harm_is_found(published: tuple[Books, Path], harm: str) -> None:
    _, folder = published
    first, second, third, _ = sorted((folder / BEKASI).glob("*.json"))
    if harm == "changed":
        second.write_text(second.read_text("utf-8").replace("habis", "tutup"), "utf-8")
    elif harm == "removed":
        second.unlink()
    elif harm == "swapped":
        texts = second.read_text("utf-8"), third.read_text("utf-8")
        third.write_text(texts[0], "utf-8")
        second.write_text(texts[1], "utf-8")
    else:
        second.write_text(first.read_text("utf-8"), "utf-8")
    with pytest.raises((ValueError, InvalidSignature)):
        verify(folder / BEKASI, [folder / "key.pem"])


def test_a_page_says_what_a_reader_needs_and_no_more_than_text(published: tuple[Books, Path]) -> None:
    _, folder = published
    page = sorted((folder / BEKASI).glob("*.html"))[1].read_text("utf-8")
    for words in (
        "Kabupaten Bekasi",
        "Selasa, 3 Maret 2026",
        "3 Maret 2026 pukul 00.00 WIB",
        "Asia/Jakarta",
        "saat itu tersedia 499 Blangko KTP-el",
    ):
        assert words in page
    assert "habis &lt;b&gt;" in page
    assert "{{ 7 * 7 }}" in page
    for outside in ("http:", "https:", "<script", "src="):
        assert outside not in page


def test_publishing_again_changes_nothing_and_mends_what_broke_off(published: tuple[Books, Path]) -> None:
    books, folder = published
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    *_, last = sorted((folder / BEKASI).glob("*.json"))
    last.write_text(last.read_text("utf-8")[:100], "utf-8")
    (folder / "index.html").unlink()
    publish(books, folder, first_day=last.stem)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_another_statement_of_a_published_day_is_not_written_over_the_first(
    published: tuple[Books, Path],
) -> None:
    _, folder = published
    file = sorted((folder / BEKASI).glob("*.json"))[1]
    before = file.read_bytes()
    genuine = Published.from_json(file.read_text("utf-8"))
    with pytest.raises(AlreadyExists, match="another statement of this day"):
        write_page(folder, Published(genuine.content.replace("habis", "tutup"), genuine.signature, "a" * 64))
    assert file.read_bytes() == before


def test_a_page_leads_to_the_index_and_to_the_day_before_where_that_is_published(
    published: tuple[Books, Path], tmp_path: Path
) -> None:
    books, folder = published
    first, second, *_ = sorted((folder / BEKASI).glob("*.html"))
    assert 'href="../index.html"' in first.read_text("utf-8")
    assert f'href="{first.name}"' in second.read_text("utf-8")
    publish(books, tmp_path / "later", first_day=second.stem)
    assert f'href="{first.name}"' not in (tmp_path / "later" / BEKASI / second.name).read_text("utf-8")


def test_a_statement_that_nobody_could_have_signed_is_a_fault_and_no_crash(
    published: tuple[Books, Path],
) -> None:
    _, folder = published
    keys = trusted_keys([folder / "key.pem"])
    victim = sorted((folder / BEKASI).glob("*.json"))[1]
    genuine = victim.read_text("utf-8")
    for harmed in (
        genuine.replace('"habis', '"\\ud800'),
        genuine.replace(f'"to": "{BEKASI}/reserved"', '"to": 7'),
        genuine.replace('"quantity": 1', '"quantity": "1"'),
        genuine.replace('"levels": [', '"levels": [5, '),
    ):
        assert harmed != genuine
        victim.write_text(harmed, "utf-8")
        assert check([folder], keys).faults
    victim.write_text(genuine, "utf-8")
    assert check([folder], keys).faults == []


def test_the_documentation_alone_is_enough_over_a_change_of_keys_and_for_a_site(
    published: tuple[Books, Path], tmp_path: Path
) -> None:
    books, folder = published
    books.open_site(SITE)
    books.ship(SITE, 7, source=BEKASI)
    books.send(
        movements_pb2.RecordRefusalRequest(
            request_id=new_id(), location=SITE, item="blank", people=2, reason="habis", operator="warga"
        )
    )
    books.night()
    (tmp_path / "other").mkdir()
    restarted = Books(str(books.database.engine.url), books.clock, tmp_path / "other")
    restarted.night()
    for location in (BEKASI, SITE):
        publish(restarted, folder, location=location)
    restarted.database.dispose()
    trusted = sorted((folder / "keys").glob("*.pem"))
    assert len(trusted) == 2
    assert (verify(folder / BEKASI, trusted), verify(folder / SITE.replace(":", "_"), trusted)) == (6, 2)
    with pytest.raises(KeyError):
        verify(folder / BEKASI, [folder / "key.pem"])


def test_the_index_has_every_location_of_the_folder(published: tuple[Books, Path]) -> None:
    books, folder = published
    key = books.send(pb.GetStatementKeyRequest())
    for each in books.send(pb.ListStatementsRequest(location="ID")).statements:
        write_page(folder, Published(each.content, each.signature, each.key_id))
    index = write_index(folder, key.key_id).read_text("utf-8")
    assert "Kabupaten Bekasi" in index
    assert "Gudang pusat" in index
    assert ">498<" in index
