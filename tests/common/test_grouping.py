"""Group commit: one wait for the disk, and each piece of work on its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.common.db import Database
from services.common.errors import NotFound
from services.common.grouping import GroupCommit

_NUMBERS = sa.Table("number", sa.MetaData(), sa.Column("n", sa.Integer, primary_key=True))


class Group:
    """A group commit whose first transaction waits until all others have come."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.group = GroupCommit(database)
        self.commits = 0
        sa.event.listen(database.engine, "commit", self._count)
        self._go = threading.Event()
        self._inside = threading.Event()

    def _count(self, _: sa.Connection) -> None:
        self.commits += 1

    def together(self, *works: Callable[[sa.Connection], Any]) -> list[Future[Any]]:
        """Run the works in threads, all of them waiting before the first of them begins."""

        def hold(_: sa.Connection) -> None:
            self._inside.set()
            assert self._go.wait(timeout=60)

        with ThreadPoolExecutor(len(works) + 1) as pool:
            first = pool.submit(self.group.run, hold)
            assert self._inside.wait(timeout=60)
            before = self.commits
            futures = []
            for number, work in enumerate(works):
                futures.append(pool.submit(self.group.run, work))
                while len(self.group._waiting) <= number:
                    threading.Event().wait(0.001)
            self._go.set()
            first.result(timeout=60)
            for future in futures:
                future.exception(timeout=60)
        self.commits -= before + 1
        return futures

    def numbers(self) -> list[int]:
        with self.database.read() as connection:
            return list(connection.scalars(sa.select(_NUMBERS).order_by(_NUMBERS.c.n)))


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    database = Database(f"sqlite:///{tmp_path}/test.db")
    with database.transaction() as connection:
        _NUMBERS.create(connection)
    yield Group(database)
    database.dispose()


def put(number: int) -> Callable[[sa.Connection], int]:
    def work(connection: sa.Connection) -> int:
        connection.execute(sa.insert(_NUMBERS), {"n": number})
        return number * 10

    return work


def refuse(connection: sa.Connection) -> None:
    connection.execute(sa.insert(_NUMBERS), {"n": 99})
    raise NotFound("GONE", "not there", field="n", remedy="none")


def test_those_who_wait_together_are_committed_together(group: Group) -> None:
    futures = group.together(*(put(number) for number in range(5)))
    assert [future.result() for future in futures] == [0, 10, 20, 30, 40]
    assert group.numbers() == [0, 1, 2, 3, 4]
    assert group.commits == 1


def test_a_refusal_undoes_its_own_work_only(group: Group) -> None:
    first, refused, last = group.together(put(1), refuse, put(2))
    assert (first.result(), last.result()) == (10, 20)
    with pytest.raises(NotFound, match="not there"):
        refused.result()
    assert group.numbers() == [1, 2]


def test_a_fault_hits_whom_it_concerns(group: Group) -> None:
    first, broken, last = group.together(put(1), put(1), put(2))
    assert (first.result(), last.result()) == (10, 20)
    with pytest.raises(sa.exc.IntegrityError):
        broken.result()
    assert group.numbers() == [1, 2]


def test_one_alone_needs_no_group(group: Group) -> None:
    assert group.group.run(put(7)) == 70
    with pytest.raises(NotFound):
        group.group.run(refuse)
    assert group.numbers() == [7]
