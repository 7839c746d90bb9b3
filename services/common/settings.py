"""Settings from the environment, with the consequence of leaving each one out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# The services and the last digits of their default ports: 7101 gRPC, 7201 health, 7301 metrics for inventory.
SERVICES: dict[str, int] = {"inventory": 1, "abis": 2, "enroll": 3, "cardperso": 4}


class ServiceSettings(BaseSettings):
    """What every service can be told. A service subclasses it, names itself in ``service`` and adds its own
    fields.
    """

    model_config = SettingsConfigDict(env_prefix="TUNGGAL_", extra="ignore", frozen=True)

    service: ClassVar[str]

    listen: str = Field(
        default="127.0.0.1:0",
        min_length=1,
        description="host:port of the mTLS gRPC port. Left out: loopback, so no other machine can call.",
    )
    health_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of plaintext grpc.health.v1, for probes that know no TLS; empty turns it off. "
        "Left out: loopback only, so a kubelet cannot probe.",
    )
    metrics_listen: str = Field(
        default="127.0.0.1:0",
        description="host:port of the Prometheus endpoint; empty turns it off. "
        "Left out: loopback only, so a Prometheus elsewhere scrapes nothing.",
    )
    data_dir: Path = Field(
        default=Path("var"),
        description="Directory of everything the service stores. Left out: below the working directory, "
        "so starting elsewhere starts empty.",
    )
    database_url: str = Field(
        default_factory=lambda data: f"sqlite:///{data['data_dir']}/tunggal.db",
        description="SQLAlchemy URL, sqlite:///FILE or postgresql+psycopg://…. "
        "Left out: a SQLite file in data_dir, which serves one replica on one machine.",
    )
    tls_dir: Path = Field(
        default=Path("var/tls"),
        description="Directory with ca.pem, NAME.pem and NAME.key. "
        "Left out: var/tls below the working directory.",
    )
    dev_ca: bool = Field(
        default=True,
        description="Make a development CA and certificates in tls_dir where missing. Left out: they are "
        "made, which suits one machine; in production set it to false: a missing file stops the start.",
    )
    trust_domain: str = Field(
        default="tunggal.local",
        min_length=1,
        description="SPIFFE trust domain of the peers. Left out: only certificates of tunggal.local count.",
    )
    key_file: Path = Field(
        default_factory=lambda data: data["data_dir"] / "keys.json",
        description="Keyring (AES-256) for data at rest, made at the first start. Left out: beside the data, "
        "so a copied disk holds both.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe lines that are logged. Left out: info, one line per RPC."
    )
    log_format: Literal["json", "console"] = Field(
        default="json",
        description="json for machines, console for people. Left out: one JSON object per line.",
    )
    workers: int = Field(
        default=16,
        ge=2,
        le=256,
        description="RPCs handled at the same time, streams included; more wait. Left out: 16.",
    )
    drain_seconds: float = Field(
        default=10.0,
        ge=0,
        description="Seconds for RPCs in flight after SIGTERM; then they are cancelled. Left out: 10.",
    )
    max_message_bytes: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        description="Largest message accepted; a larger one is refused with RESOURCE_EXHAUSTED. "
        "Left out: 4 MiB, abis 16 MiB.",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Give the subclass the default ports and directory of its service."""
        super().__pydantic_init_subclass__(**kwargs)
        port = SERVICES[cls.service]
        cls.model_fields["listen"].default = f"127.0.0.1:{7100 + port}"
        cls.model_fields["health_listen"].default = f"127.0.0.1:{7200 + port}"
        cls.model_fields["metrics_listen"].default = f"127.0.0.1:{7300 + port}"
        cls.model_fields["data_dir"].default = Path("var") / cls.service
        if cls.service == "abis":
            cls.model_fields["max_message_bytes"].default = 16 * 1024 * 1024
        cls.model_rebuild(force=True)

    @field_validator("listen", "health_listen", "metrics_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) < 65536):
            raise ValueError(f"{value!r} is not host:port, such as 127.0.0.1:7101 or [::]:7101")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_supported(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME")
        return value
