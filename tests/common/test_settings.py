"""Settings come from the environment, and say what happens when they are left out."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, ValidationError

from services.common.settings import ServiceSettings


class Abis(ServiceSettings):
    service: ClassVar[str] = "abis"
    inventory_endpoint: str = Field(default="localhost:7101", description="Left out: this machine.")


class Cardperso(ServiceSettings):
    service: ClassVar[str] = "cardperso"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests."""
    import os

    for name in list(os.environ):
        if name.startswith("TUNGGAL_"):
            monkeypatch.delenv(name)


def test_each_service_has_its_own_ports_directory_and_message_size() -> None:
    abis, cardperso = Abis(), Cardperso()
    assert (abis.listen, abis.health_listen, abis.metrics_listen) == (
        "127.0.0.1:7102",
        "127.0.0.1:7202",
        "127.0.0.1:7302",
    )
    assert (cardperso.listen, cardperso.max_message_bytes) == ("127.0.0.1:7104", 4 * 1024 * 1024)
    assert abis.max_message_bytes == 16 * 1024 * 1024
    assert abis.database_url == "sqlite:///var/abis/tunggal.db"
    assert abis.key_file == Path("var/abis/keys.json")


def test_what_lies_in_the_data_directory_moves_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNGGAL_DATA_DIR", "/srv/abis")
    assert Abis().database_url == "sqlite:////srv/abis/tunggal.db"
    assert Abis().key_file == Path("/srv/abis/keys.json")


def test_an_empty_address_turns_a_port_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNGGAL_HEALTH_LISTEN", "")
    assert Abis().health_listen == ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TUNGGAL_LISTEN", ""),
        ("TUNGGAL_LISTEN", "7102"),
        ("TUNGGAL_LISTEN", "localhost:99999"),
        ("TUNGGAL_DATABASE_URL", "mysql://x/y"),
        ("TUNGGAL_DATABASE_URL", "sqlite://"),
        ("TUNGGAL_WORKERS", "0"),
        ("TUNGGAL_DRAIN_SECONDS", "-1"),
        ("TUNGGAL_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=variable.removeprefix("TUNGGAL_").lower()):
        Abis()


def test_every_setting_says_what_happens_when_it_is_left_out() -> None:
    for name, field in Abis.model_fields.items():
        assert "Left out:" in (field.description or ""), name
