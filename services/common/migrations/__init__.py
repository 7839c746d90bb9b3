"""Schema migrations: alembic, configured in code, on a connection that the caller opened and will commit."""

from __future__ import annotations

import importlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from services.common.errors import ConfigurationError


def upgrade(connection: Connection, package: str) -> None:
    """Upgrade to the newest version in ``PACKAGE/migrations/versions``, in its transaction."""
    location = importlib.import_module(package).__path__[0]
    config = Config()
    config.set_main_option("script_location", _escaped(Path(__file__).parent))
    config.set_main_option("version_locations", _escaped(Path(location) / "migrations" / "versions"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigurationError(
            f"The database of {package} cannot be brought to this version: {error}. "
            "It was probably used by a newer version; start that one, or restore a backup."
        ) from error


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
