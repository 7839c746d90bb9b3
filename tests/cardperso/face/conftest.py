"""Somebody who signs tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cardperso.keys import filestore
from tests.cardperso.signing_office import Office, open_office


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(filestore, "SCRYPT_N", 2)
    return open_office(tmp_path)
