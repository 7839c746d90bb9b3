"""Write the tables of docs/configuration.md from the services' settings.

    python scripts/configuration.py             write them
    python scripts/configuration.py --check     fail where they are not current

A table by hand would be wrong after the next field; this one says what the code says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.common.settings import SERVICES, ServiceSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
#: Fields whose default differs by service; the table shows the pattern instead.
BY_SERVICE = {
    "listen": "127.0.0.1:71*n*",
    "health_listen": "127.0.0.1:72*n*",
    "metrics_listen": "127.0.0.1:73*n*",
    "data_dir": "var/*service*",
    "database_url": "sqlite:///*data_dir*/tunggal.db",
    "key_file": "*data_dir*/keys.json",
    "max_message_bytes": "4 MiB, abis 16 MiB",
}


def tables() -> str:
    """The tables as Markdown: what every service reads, then what one service reads alone."""
    common = ServiceSettings.model_fields
    parts = ["**Every service**", _table(common)]
    for service in SERVICES:
        own = import_module(f"services.{service}.settings").Settings.model_fields
        extra = {name: field for name, field in own.items() if name not in common}
        if extra:
            parts += [f"**{service}**", _table(extra)]
    return "\n\n".join(parts)


def _table(fields: Mapping[str, FieldInfo]) -> str:
    rows = [
        f"| `TUNGGAL_{name.upper()}` | {_default(name, field)} | {field.description} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| variable | default | |", "|---|---|---|", *rows])


def _default(name: str, field: FieldInfo) -> str:
    if name in BY_SERVICE:
        return BY_SERVICE[name]
    value: Any = field.default
    # An absolute path is that of this checkout: somebody else's default is another one.
    if value is PydanticUndefined or (isinstance(value, Path) and value.is_absolute()):
        return "see right"
    if value in (None, ""):
        return "none"
    if isinstance(value, Enum):
        value = value.value
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def with_tables(text: str) -> str:
    """The page with current tables between its markers."""
    pattern = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)
    fresh, count = pattern.subn(lambda found: f"{found[1]}{tables()}\n{found[2]}", text)
    if count != 1:
        raise SystemExit("docs/configuration.md lacks its settings markers")
    return fresh


def main() -> None:
    """Write or check."""
    text = PAGE.read_text()
    fresh = with_tables(text)
    if "--check" in sys.argv[1:]:
        if fresh != text:
            raise SystemExit("docs/configuration.md is stale: run scripts/configuration.py")
        return
    PAGE.write_text(fresh)


if __name__ == "__main__":
    main()
