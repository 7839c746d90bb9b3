"""A whole issuance over a real pcscd: transport keys to ours, application, data, life cycle, reading back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.cardperso import tlv
from services.cardperso.globalplatform import commands
from services.cardperso.globalplatform.channel import KeySource, SecureChannel, open_channel
from services.cardperso.globalplatform.commands import Dgi
from services.cardperso.globalplatform.errors import ResponseForged
from services.cardperso.globalplatform.guard import AttemptGuard
from services.cardperso.globalplatform.key_source import fixed, from_master
from services.cardperso.globalplatform.manager import CardManager, CardState, protocols
from services.cardperso.globalplatform.messaging import SecurityLevel
from services.cardperso.globalplatform.transport import PcscTransport, parse
from services.cardperso.keys.diversify import Scheme
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keystore import KeyKind, KeyRef, card_keys
from services.cardperso.pcsc import CardSession
from sim.card import VirtualReader
from sim.card.globalplatform import FACTORY_KEYS, MODULE_AID, PACKAGE_AID, VirtualGlobalPlatformCard
from tests.cardperso.globalplatform.conftest import host_keys

KTP = b"\xf0TUNGGAL\x01"
ROOT = Path(__file__).parents[3]
MASTER = KeyRef("isd-master", 0x30)
FACTORY = host_keys(FACTORY_KEYS)
PORTRAIT = bytes(range(256)) * 15


def test_a_card_goes_from_the_factory_to_a_reader(
    reader: VirtualReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)
    store = FileKeystore.create(tmp_path / "keys.json", "passphrase")
    store.generate(MASTER, KeyKind.AES_MASTER, 16)
    ours = from_master(store, "isd-master", Scheme.KDF3)
    guard = AttemptGuard()
    with (
        VirtualGlobalPlatformCard(tmp_path / "card.eeprom", reader.port),
        CardSession(reader.name, wait_seconds=10, apdu_seconds=5) as session,
    ):
        line = PcscTransport(session)

        def opened(keys: KeySource) -> SecureChannel:
            line.transmit(commands.select().encode())
            return open_channel(
                line,
                keys,
                chip=session.uid(),
                guard=guard,
                level=SecurityLevel.ALL,
                limit=session.traits.write_block,
            )

        line.transmit(commands.select().encode())
        assert protocols(line) == [(3, 0x70)]
        channel = opened(fixed(FACTORY))
        CardManager(channel).replace_keys(
            card_keys(store, MASTER, Scheme.KDF3, channel.card.diversification_data)
        )
        manager = CardManager(opened(ours))
        manager.install(PACKAGE_AID, MODULE_AID, KTP)
        before = session.apdus
        manager.personalize(KTP, [Dgi(0x0101, b"biodata"), Dgi(0x0102, PORTRAIT)])
        assert session.apdus - before == 3
        manager.set_card_state(CardState.SECURED)

        session.power_cycle()
        data, sw = line.transmit(commands.select(KTP).encode())
        assert sw == 0x9000
        assert tlv.find(tlv.find(data, 0x6F) or b"", 0x8A) == b"\x05"
        content = b""
        while len(content) < len(PORTRAIT):
            p1, p2 = (0x82, 0x00) if not content else divmod(len(content), 256)
            data, sw = line.transmit(bytes([0x00, 0xB0, p1, p2, 0x00, 0x07, 0x00]))
            content += data
        assert content == PORTRAIT
        assert CardManager(opened(ours)).card_state() is CardState.SECURED


def test_the_card_as_a_script_serves_any_host_and_fails_on_demand(
    reader: VirtualReader, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "sim.card.globalplatform", "--image", str(tmp_path / "card.eeprom")]
    command += ["--port", str(reader.port), "--wrong-mac-at", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as card:
        try:
            assert card.stdout is not None
            uid = card.stdout.readline().split()[1]
            with CardSession(reader.name, wait_seconds=10, apdu_seconds=5) as session:
                assert session.uid() == uid
                channel = open_channel(PcscTransport(session), fixed(FACTORY), chip=uid, guard=AttemptGuard())
                manager = CardManager(channel)
                assert manager.card_state() is CardState.OP_READY
                with pytest.raises(ResponseForged):
                    manager.card_state()
        finally:
            card.terminate()


@pytest.mark.parametrize(
    "apdu",
    [
        "00A40400",
        "00A4040000",
        "80E2000001AA",
        "80E2000001AA00",
        "00B000000007FF",
        "80E20000000100" + "AA" * 256,
        "80E20000000100" + "AA" * 256 + "0000",
    ],
)
def test_every_case_of_a_command_survives_the_line(apdu: str) -> None:
    raw = bytes.fromhex(apdu)
    assert parse(raw).encode() == raw


@pytest.mark.parametrize("apdu", ["", "00A404", "80E2000002AA", "80E2000001AAAAAA", "80E20000000002AA"])
def test_what_is_no_command_is_refused(apdu: str) -> None:
    with pytest.raises(ValueError, match="command"):
        parse(bytes.fromhex(apdu))
