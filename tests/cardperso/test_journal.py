"""The journal of a card job: every command to a card, no secret, and no change that is not found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from sim.card import Faults, VirtualReader
from tests.cardperso.card_bench import Bench
from tests.cardperso.card_makers import eventually, present
from tests.cardperso.conftest import MakeBlank


def test_every_command_to_a_card_is_in_the_journal_and_no_secret(
    bench: Bench, make_blank: MakeBlank, tmp_path: Path
) -> None:
    card = make_blank().insert()
    job = bench.run()
    with bench.database.read() as conn:
        (session,) = bench.journal.sessions(conn, job.job_id)
    assert (session.chip_uid, session.outcome, session.operator) == (card.uid, "VERIFIED", "operator/cli")
    assert len(session.exchanges) == card.apdus
    assert {exchange.sw for exchange in session.exchanges} >= {0x9000, 0x6982}
    names = [exchange.name for exchange in session.exchanges]
    assert names.index("PUT KEY") < names.index("STORE DATA") < names.index("SET STATUS")
    hidden = [exchange for exchange in session.exchanges if exchange.name in ("PUT KEY", "STORE DATA")]
    assert all(exchange.sent.startswith("#") and exchange.sent_bytes for exchange in hidden)
    read = [exchange for exchange in session.exchanges if exchange.name == "READ BINARY"]
    assert all(not exchange.received or exchange.received.startswith("#") for exchange in read)
    assert not list(tmp_path.glob("journal/*"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE card_session SET outcome = 'VERIFIED' WHERE seq = 1",
        "UPDATE card_session SET body = (SELECT body FROM card_session WHERE seq = 2) WHERE seq = 1",
        "DELETE FROM card_session WHERE seq = 1",
        "DELETE FROM card_session WHERE seq = 2",
    ],
    ids=["outcome", "commands", "first", "last"],
)
def test_whatever_is_changed_in_the_journal_is_found(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader, change: str
) -> None:
    bad = make_blank("bad", faults=Faults(write_error_at=60)).insert()
    bench.run()
    bad.remove()
    eventually(lambda: not present(reader.name))
    make_blank("good").insert()
    bench.run()
    with bench.database.read() as conn:
        assert (bench.journal.verify(conn).sessions, bench.journal.verify(conn).broken) == (2, None)
    with bench.database.transaction() as conn:
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            conn.exec_driver_sql(change)
        for deed in ("update", "delete"):
            conn.exec_driver_sql(f"DROP TRIGGER card_session_no_{deed}")
        conn.exec_driver_sql(change)
    with bench.database.read() as conn:
        assert bench.journal.verify(conn).broken == (2 if change.endswith("seq = 2") else 1)


def test_an_end_that_was_cut_off_or_written_anew_with_all_its_hashes_is_found(
    bench: Bench, make_blank: MakeBlank, reader: VirtualReader, tmp_path: Path
) -> None:
    """By somebody who can write the database and knows how the chain is made, and who has kept an old end."""
    heads = []
    for name in ("first", "second"):
        blank = make_blank(name).insert()
        bench.run()
        blank.remove()
        eventually(lambda: not present(reader.name))
        with bench.database.read() as conn:
            heads.append(conn.execute(sa.text("SELECT seq, hash, key_id, seal FROM card_session_head")).one())
    with bench.database.transaction() as conn:
        for deed in ("update", "delete"):
            conn.exec_driver_sql(f"DROP TRIGGER card_session_no_{deed}")
        conn.exec_driver_sql("DELETE FROM card_session WHERE seq = 2")
        put_head(conn, heads[0])
    # The old seal is genuine; what this host remembers is not.
    assert broken(bench) == 2
    (tmp_path / "journal.head").unlink()
    assert broken(bench) is None
    with bench.database.transaction() as conn:
        put_head(conn, (1, heads[0].hash, heads[1].key_id, heads[1].seal))
    assert broken(bench) == 2
    with bench.database.transaction() as conn:
        put_head(conn, (1, heads[0].hash, None, None))
    assert broken(bench) == 2


def test_a_chain_from_before_there_were_seals_is_sealed_once(
    bench: Bench, make_blank: MakeBlank, tmp_path: Path
) -> None:
    make_blank().insert()
    bench.run()
    with bench.database.transaction() as conn:
        conn.execute(sa.text("UPDATE card_session_head SET key_id = NULL, seal = NULL"))
    bench.journal.recover()
    assert broken(bench) == 2  # a host that has seen a seal does not make a new one
    (tmp_path / "journal.head").unlink()
    bench.journal.recover()
    assert broken(bench) is None


def broken(bench: Bench) -> int | None:
    with bench.database.read() as conn:
        return bench.journal.verify(conn).broken


def put_head(conn: sa.Connection, head: Sequence[object]) -> None:
    names = ("seq", "hash", "key_id", "seal")
    conn.execute(
        sa.text("UPDATE card_session_head SET seq = :seq, hash = :hash, key_id = :key_id, seal = :seal"),
        dict(zip(names, head, strict=True)),
    )
