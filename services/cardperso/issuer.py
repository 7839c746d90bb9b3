"""What the issuing state brings to a card: its keystore, the keys of its cards, and who signs them."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass

from services.cardperso.chip.access import READER_MASTER, AccessKeys, from_master
from services.cardperso.globalplatform import CardAnswer, CardKeys, CardType, SecurityLevel, key_source
from services.cardperso.globalplatform.channel import FACTORY_KEYS
from services.cardperso.keys import (
    KeyRef,
    KeySet,
    Keystore,
    Scheme,
    SoftwareKey,
    SymmetricKey,
    card_keys,
    versions,
)
from services.cardperso.keys.authority import Authorities, Signer
from services.cardperso.keys.errors import KeyExists, KeyNotFound, KeystoreLocked
from services.cardperso.keys.keystore import KeyKind
from services.cardperso.keystores import OpenStore, file_keystore, token_keystore
from services.cardperso.settings import Settings
from services.cardperso.verify import Trust
from services.common.clock import Clock
from services.common.errors import ConfigurationError

CARD_MASTER = "card-master"
"""Master of the keys that our cards have; its version is their key version."""
TRANSPORT_MASTER = "transport-master"
"""Master of the keys with which blanks come from the maker, entered in a key ceremony."""

_TEST_KEY = SoftwareKey("AES", bytes.fromhex("404142434445464748494A4B4C4D4E4F"))
"""GlobalPlatform's public test key, which development cards come with."""
_FRESH_SECONDS = 60.0


@dataclass(frozen=True)
class _Versions:
    """Versions of the masters, and when they were looked at."""

    at: float
    cards: frozenset[int]
    transport: frozenset[int]
    readers: frozenset[int]


@dataclass(frozen=True)
class Schemes:
    """How the keys of a chip follow from the masters."""

    card: Scheme
    transport: Scheme


class Issuer:
    """The keystore in use. It is opened when it is first needed, and again where a token was away.

    Args:
        open_store: opens the keystore.
        authorities: certificates of the document signers.
        card_type: of the blanks.
        schemes: of diversification.
        development: whether missing keys are made, and blanks may come with the public test keys.
        clock: clock.
    """

    def __init__(
        self,
        open_store: OpenStore,
        authorities: Authorities,
        card_type: CardType,
        schemes: Schemes,
        *,
        development: bool,
        clock: Clock,
    ) -> None:
        self._open_store = open_store
        self.authorities = authorities
        self.card_type = card_type
        self._schemes = schemes
        self._development = development
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Keystore | None = None
        self._refused: KeystoreLocked | None = None
        self._versions: _Versions | None = None

    @property
    def store(self) -> Keystore:
        """The keystore.

        Raises:
            KeystoreUnavailable, KeystoreLocked, KeystoreDamaged: it cannot be opened.
        """
        with self._lock:
            if self._refused is not None:
                raise self._refused
            if self._store is None:
                try:
                    self._store = self._open_store()
                except KeystoreLocked as refused:
                    # What was refused is not offered again: a token counts, and locks itself.
                    self._refused = refused
                    raise
            return self._store

    def prepare(self) -> None:
        """Make what is missing, for development; elsewhere see that nothing is.

        Raises:
            ConfigurationError: keys are missing, or card and transport keys share a version.
            KeystoreUnavailable, KeystoreLocked, KeystoreDamaged: the keystore cannot be opened.
        """
        store = self.store
        if self._development:
            with contextlib.suppress(KeyExists):
                for name in (CARD_MASTER, READER_MASTER):
                    if not versions(store, name):
                        store.generate(KeyRef(name, 1), KeyKind.AES_MASTER)
            self.authorities.found(store, self._clock.now())
        masters, transport = (
            {info.ref.version for info in versions(store, name)} for name in (CARD_MASTER, TRANSPORT_MASTER)
        )
        missing = next(
            (
                name
                for name, needed in (
                    (CARD_MASTER, True),
                    (READER_MASTER, True),
                    (TRANSPORT_MASTER, not self._development),
                )
                if needed and not versions(store, name)
            ),
            None,
        )
        if missing is not None:
            raise ConfigurationError(
                f"The keystore has no {missing}: hold a key ceremony with 'tunggal keys hold {missing}'."
            )
        if masters & transport:
            raise ConfigurationError(
                f"Versions {sorted(masters & transport)} of {CARD_MASTER} and {TRANSPORT_MASTER} cannot be "
                "told apart on a card: rotate one of them past the other."
            )

    def signer(self) -> Signer:
        """Who signs the security object of a chip today.

        Raises:
            KeyNotFound: no document signer has a certificate.
            SignerExpired, SignerRevoked: the newest one may not sign any more.
        """
        return self.authorities.signer(self.store, self._clock.now())

    def trust(self) -> Trust:
        """Whose signatures on chips count today.

        Raises:
            RevocationListDamaged: see there.
        """
        authorities = self.authorities
        return Trust(authorities.anchors(), self._clock.now(), authorities.revocations())

    def reader_keys(self, chip_uid: str) -> list[AccessKeys]:
        """The access keys that the chip may have, those of a new one first.

        Raises:
            KeyNotFound: there is no master of readers.
            KeystoreUnavailable, KeystoreLocked: the keystore cannot be used.
        """
        store = self.store
        masters = sorted(self._current(store).readers, reverse=True)
        return [from_master(store.symmetric(KeyRef(READER_MASTER, version)), chip_uid) for version in masters]

    def card_keys(self, chip_uid: str) -> CardKeys:
        """Keys on the way of the card with this chip.

        Raises:
            KeyNotFound: there is no master.
            KeystoreUnavailable, KeystoreLocked: the keystore cannot be used.
        """
        store, serial = self.store, bytes.fromhex(chip_uid)
        current = self._current(store)
        newest_card = KeyRef(CARD_MASTER, max(current.cards))

        def new(card: CardAnswer) -> KeySet[SoftwareKey]:
            data = serial if self._schemes.card is Scheme.AN10922 else card.diversification_data
            return card_keys(store, newest_card, self._schemes.card, data)

        return CardKeys(
            transport=lambda card: self._transport(store, serial, card),
            transport_versions=current.transport | {FACTORY_KEYS},
            ours=key_source.from_master(store, CARD_MASTER, self._schemes.card, serial),
            new=new,
        )

    def close(self) -> None:
        """Log out."""
        with self._lock:
            store, self._store = self._store, None
            if store is not None:
                store.close()

    def _current(self, store: Keystore) -> _Versions:
        """Versions of the masters; asked for once a minute, for a token takes its time to list keys.

        Raises:
            KeyNotFound: there is no master of cards, or none of readers.
        """
        known = self._versions
        if known is None or time.monotonic() - known.at > _FRESH_SECONDS:
            refs = [info.ref for info in store.contents()]
            cards, transport, readers = (
                frozenset(ref.version for ref in refs if ref.name == name)
                for name in (CARD_MASTER, TRANSPORT_MASTER, READER_MASTER)
            )
            if not cards or not readers:
                raise KeyNotFound(READER_MASTER if cards else CARD_MASTER)
            known = self._versions = _Versions(time.monotonic(), cards, transport, readers)
        return known

    def _transport(self, store: Keystore, serial: bytes, card: CardAnswer) -> KeySet[SymmetricKey]:
        """The keys of a blank: by the master of its version, of the newest where it reports factory keys."""
        known = self._current(store).transport
        if known:
            version = max(known) if card.key_version == FACTORY_KEYS else card.key_version
            data = serial if self._schemes.transport is Scheme.AN10922 else card.diversification_data
            return card_keys(store, KeyRef(TRANSPORT_MASTER, version), self._schemes.transport, data)
        if self._development:
            return KeySet(card.key_version, _TEST_KEY, _TEST_KEY, _TEST_KEY)
        raise KeyNotFound(TRANSPORT_MASTER)


def configured(settings: Settings, clock: Clock) -> Issuer:
    """The issuer that the settings describe; nothing is opened yet."""
    if settings.pkcs11_module:
        open_store = token_keystore(settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file)
    else:
        open_store = file_keystore(
            settings.keystore, settings.keystore_passphrase_file, development=settings.dev_keys
        )
    card_type = CardType(
        load_file=bytes.fromhex(settings.card_load_file),
        module=bytes.fromhex(settings.card_module),
        isd=bytes.fromhex(settings.card_isd),
        level=SecurityLevel(int(settings.card_security, 16)),
    )
    return Issuer(
        open_store,
        Authorities(settings.certificates, settings.issuer_country, settings.issuer_name),
        card_type,
        Schemes(settings.card_scheme, settings.transport_scheme),
        development=settings.dev_keys,
        clock=clock,
    )
