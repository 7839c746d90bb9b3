"""The one way to write what is hashed and signed: canonical JSON (RFC 8785)."""

from __future__ import annotations

import json
from typing import Any

# Made once: json.dumps makes one for every call that wants it so, and every write of every service is hashed.
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same text for the same content."""
    return _JSON.encode(value)
