"""Settings of card personalization; each says what happens when it is left out."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from services.cardperso.keys.diversify import Scheme
from services.common.settings import ServiceSettings


class Settings(ServiceSettings):
    """What card personalization can be told, beside what every service can.

    The PC/SC service is found as every PC/SC program finds it: at the system's socket, or where the
    environment variable PCSCLITE_CSOCK_NAME says.
    """

    service: ClassVar[str] = "cardperso"

    enroll_endpoint: str = Field(
        default="127.0.0.1:7103",
        description="host:port of enroll. Left out: loopback; while it does not answer there, jobs wait and "
        "say so.",
    )
    inventory_endpoint: str = Field(
        default="127.0.0.1:7101",
        description="host:port of the inventory. Left out: loopback; while it does not answer there, jobs "
        "wait and say so.",
    )
    call_seconds: float = Field(
        default=10.0, gt=0, description="Time for one call to a neighbour, then it is repeated. Left out: 10."
    )
    station: str = Field(
        default_factory=platform.node,
        min_length=1,
        max_length=200,
        description="Name of this host among the stations that share a database: each works on its own "
        "jobs. Left out: the host's name, so a host that is renamed leaves its open jobs behind.",
    )
    pcsc_sockets: str = Field(
        default="",
        description="Several pcscd on this host, for more than 16 readers: "
        "hall=/run/hall/pcscd.comm,annex=/run/annex/pcscd.comm. Their readers are then called hall/NAME and "
        "annex/NAME. Left out: the system's pcscd, or the one that PCSCLITE_CSOCK_NAME names.",
    )
    card_wait_seconds: float = Field(
        default=120.0,
        gt=0,
        description="How long a job waits for a blank card on its reader before it gives blank and record "
        "back. Left out: 2 minutes.",
    )
    resume_wait_seconds: float = Field(
        default=10.0,
        gt=0,
        description="How long a job that was interrupted while writing waits for the same card before its "
        "blank counts as spoiled. Left out: 10 seconds.",
    )
    apdu_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Time for one command to a card; a card that takes longer is spoiled. "
        "Left out: 5 seconds.",
    )
    session_seconds: float = Field(
        default=120.0,
        gt=0,
        description="Time for all commands of a session with a card together; a card that takes longer is "
        "taken up again a few times, then spoiled. Left out: 2 minutes.",
    )
    dev_keys: bool = Field(
        default=True,
        description="Make keystore, card master, CSCA and document signer where missing, and accept blanks "
        "with GlobalPlatform's public test keys. Left out: so it is, which suits development cards; in "
        "production set it to false: a missing key stops the start.",
    )
    keystore: Path = Field(
        default_factory=lambda data: data["data_dir"] / "cards.keystore",
        description="Encrypted file with the issuer's keys; not used with a PKCS#11 token. Left out: beside "
        "the data, so replicas that share a database do not share it.",
    )
    keystore_passphrase_file: Path = Field(
        default_factory=lambda data: data["data_dir"] / "cards.passphrase",
        description="File with the passphrase of the keystore. Left out: beside the keystore, so a copied "
        "disk holds both.",
    )
    pkcs11_module: str = Field(
        default="",
        description="Path of the PKCS#11 library of a token (HSM) that has the issuer's keys. Left out: the "
        "keystore file has them.",
    )
    pkcs11_token: str = Field(
        default="tunggal", description="Label of the token. Left out: a token of that name is looked for."
    )
    pkcs11_pin_file: Path | None = Field(
        default=None,
        description="File with the PIN of the token's user. Left out: a token is refused.",
    )
    certificates: Path = Field(
        default_factory=lambda data: data["data_dir"] / "certificates",
        description="Directory of the certificates of CSCA and document signers. Left out: beside the data.",
    )
    issuer_country: str = Field(
        default="ID",
        pattern="^[A-Z]{2}$",
        description="Country in certificates that are made here. Left out: Indonesia.",
    )
    issuer_name: str = Field(
        default="Tunggal development",
        min_length=1,
        max_length=40,
        description="Organization in certificates that are made here. Left out: they call themselves "
        "development certificates.",
    )
    card_scheme: Scheme = Field(
        default=Scheme.KDF3,
        description="How the keys of a card follow from card-master: kdf3, an10922, visa2 or emv. "
        "Left out: kdf3 (NIST SP 800-108), for cards that speak SCP03.",
    )
    transport_scheme: Scheme = Field(
        default=Scheme.KDF3,
        description="How the keys of a blank follow from transport-master. Left out: kdf3.",
    )
    card_load_file: str = Field(
        default="F054554E4747414C30",
        pattern="^([0-9A-F]{2}){5,16}$",
        description="AID of the load file on the blanks. Left out: that of the virtual card.",
    )
    card_module: str = Field(
        default="F054554E4747414C3001",
        pattern="^([0-9A-F]{2}){5,16}$",
        description="AID of the module that becomes the application. Left out: that of the virtual card.",
    )
    card_isd: str = Field(
        default="",
        pattern="^(([0-9A-F]{2}){5,16})?$",
        description="AID of the issuer security domain. Left out: the one that a card selects by default.",
    )
    card_security: Literal["01", "03", "11", "13", "33"] = Field(
        default="33",
        description="Security level of the sessions with a card; SCP02 knows 01 and 03. Left out: 33, all is "
        "encrypted and authenticated both ways.",
    )
    card_attempts: int = Field(
        default=3,
        ge=1,
        le=10,
        description="Failed sessions in a row after which a chip is left alone, before it locks itself. "
        "Left out: 3.",
    )
    chip_profile: str = Field(
        default="ktp-el",
        min_length=1,
        description="What chips hold: the name of a profile that is shipped (ktp-el, icao-lds1), or the path "
        "of a profile file. Left out: ktp-el.",
    )
    quality_check: bool = Field(
        default=False,
        description="Book a card only after somebody has found it good. Left out: cards are booked as soon "
        "as their chip is verified and their faces are printed; one that is rejected after that is void.",
    )
    station_lease_seconds: float = Field(
        default=30.0,
        ge=3,
        description="How long a host promises to be there for its stations; then others of the location take "
        "over what it had begun. Left out: 30.",
    )
    printer: str = Field(
        default="",
        description="Queue of the card printer in CUPS; needs the extra 'cups'. Left out: faces are spooled.",
    )
    print_server: str = Field(
        default="",
        pattern=r"^(/.*|[^/:]+:\d{1,5})?$",
        description="Socket or host:port of the CUPS server. Left out: the system's own.",
    )
    print_dpi: Literal[300, 600] = Field(
        default=300, description="Dots per inch of the card printer: 300 or 600. Left out: 300."
    )
    print_seconds: float = Field(
        default=180.0,
        gt=0,
        description="Time for one card, then the printer counts as stopped; its job goes on all the same. "
        "Left out: 3 minutes.",
    )
    spool: str = Field(
        default_factory=lambda data: str(data["data_dir"] / "spool"),
        description="Directory for the faces as PNG and PDF where there is no printer, sealed with the "
        "keyring and deleted once the card is handed over, spoiled or void. Left out: beside the data. "
        "Empty: nothing is spooled, and the faces are kept in the database only.",
    )
    spool_plain: bool = Field(
        default=False,
        description="Write the spool unsealed, for a program that prints what it finds there; only the "
        "service's user may read it. Left out: files are sealed, and 'tunggal card unseal' opens them.",
    )
    card_mark: str = Field(
        default="SPESIMEN",
        max_length=20,
        description="Word printed across the faces; empty for none. Left out: every card says SPESIMEN.",
    )
    max_watchers: int = Field(
        default=8,
        ge=1,
        description="Callers that may follow jobs at the same time; each keeps one of the workers. "
        "Left out: 8 of 16.",
    )
    poll_seconds: float = Field(
        default=0.5,
        gt=0,
        description="How often the database is looked at for what nobody rang for. Left out: twice a second.",
    )
