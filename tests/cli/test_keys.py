"""`tunggal keys`: a ceremony from split components to a signed protocol, versions, and certificates."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from services.cardperso.issuer import CARD_MASTER, configured
from services.cardperso.keys.errors import SignerRevoked
from services.cardperso.settings import Settings
from services.common.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)
CUSTODIANS = ("--custodian", "ani", "--custodian", "budi")
HOLD = ("hold", CARD_MASTER, *CUSTODIANS, "--witness", "citra", "--place", "Jakarta")

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a service, with a passphrase and an empty keystore."""
    monkeypatch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)
    monkeypatch.setenv("COLUMNS", "200")
    for name in list(os.environ):
        if name.startswith("TUNGGAL_"):
            monkeypatch.delenv(name)
    home = tmp_path / "cardperso"
    home.mkdir()
    (home / "cards.passphrase").write_text("long and secret\n")
    return home


@pytest.fixture
def run(home: Path) -> Run:
    def go(*command: str, text: str = "", here: bool = True) -> Result:
        given = ["keys", *command, *(["--data-dir", str(home)] if here else [])]
        return CliRunner().invoke(app, given, input=text)

    return go


def split(run: Run, tmp_path: Path) -> tuple[str, str, str]:
    """Papers of two custodians, and the check value of the whole."""
    made = run(
        "split",
        CARD_MASTER,
        "--custodian",
        "ani",
        "--custodian",
        "budi",
        "--to",
        str(tmp_path / "papers"),
        here=False,
    )
    assert made.exit_code == 0
    papers = [(tmp_path / "papers" / f"{CARD_MASTER}-{who}.component").read_text() for who in ("ani", "budi")]
    for paper in papers:
        assert paper[:19] not in made.output
    found = re.search(r"the whole key\W+([0-9A-F]{6})", made.output)
    assert found is not None
    return papers[0], papers[1], found[1]


def hold(run: Run, tmp_path: Path, *more: str, text: str) -> Result:
    return run(*HOLD, "--protocol", str(tmp_path / "protocol.json"), *more, text=text)


def test_a_key_is_split_held_and_its_protocol_checked(run: Run, tmp_path: Path, home: Path) -> None:
    assert run("init").exit_code == 0
    ani, budi, whole = split(run, tmp_path)
    held = hold(run, tmp_path, "--expect", whole, text=f"{ani}{budi}")
    assert held.exit_code == 0, held.output
    assert whole in held.output
    assert ani[:19] not in held.output
    listed = json.loads(run("list", "--json").stdout)["keys"]
    assert {
        "name": CARD_MASTER,
        "version": 1,
        "kind": "aes-master",
        "bytes": 32,
        "check_value": whole,
    } in listed
    checked = run("check", str(tmp_path / "protocol.json"))
    said = json.loads(checked.stdout)
    assert [each["custodian"] for each in said["components"]] == ["ani", "budi"]
    assert said["witnesses"] == ["citra"]
    forged = (tmp_path / "protocol.json").read_text().replace("citra", "nobody")
    (tmp_path / "forged.json").write_text(forged)
    assert "CEREMONY_REFUSED" in run("check", str(tmp_path / "forged.json")).output


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda ani, budi, whole: (ani[:-8] + "000000\n", budi, whole), "typing error"),
        (lambda ani, budi, whole: (ani, ani, whole), "same component"),
        (lambda ani, budi, whole: (ani, budi, "000000"), "check value"),
    ],
    ids=["typing error", "one paper twice", "another key"],
)
def test_a_ceremony_that_goes_wrong_stores_nothing(
    run: Run, tmp_path: Path, change: Callable[..., tuple[str, str, str]], reason: str
) -> None:
    run("init")
    ani, budi, whole = change(*split(run, tmp_path))
    refused = hold(run, tmp_path, "--expect", whole, text=f"{ani}{budi}")
    assert refused.exit_code == 1
    assert reason in refused.output
    assert not [key for key in json.loads(run("list", "--json").stdout)["keys"] if key["name"] == CARD_MASTER]
    assert not (tmp_path / "protocol.json").exists()


def test_keys_rotate_and_signers_are_renewed(run: Run, home: Path) -> None:
    configured(Settings(data_dir=home), SystemClock()).prepare()
    assert "card-master/2" in run("rotate", CARD_MASTER).output
    assert "Document Signer 2" in run("renew", "document-signer").output
    assert "CSCA 2" in run("renew", "csca").output
    assert run("renew", "nobody").exit_code == 1
    listed = run("list").output
    assert listed.count("card-master") == 2
    issuer = configured(Settings(data_dir=home), SystemClock())
    assert issuer.signer().ref.version == 2
    assert len(issuer.authorities.anchors()) == 2
    issuer.close()


def test_a_revoked_signer_is_listed_and_the_next_one_signs(run: Run, home: Path) -> None:
    configured(Settings(data_dir=home), SystemClock()).prepare()
    assert json.loads(run("revocations", "--json").stdout) == []
    assert run("revoke", "1", text="n\n").exit_code == 1
    assert json.loads(run("revocations", "--json").stdout) == []
    assert "REASON_UNKNOWN" in run("revoke", "1", "--reason", "weather", "--yes").output
    assert "csca-001.crl" in run("revoke", "1", "--reason", "key-compromise", "--yes").output
    assert "document-signer/9" in run("revoke", "9", "--yes").output
    (listed,) = json.loads(run("revocations", "--json", "--renew").stdout)
    assert (listed["number"], listed["revoked"][0]["reason"]) == (2, "key-compromise")
    assert "key-compromise" in run("revocations").output
    issuer = configured(Settings(data_dir=home), SystemClock())
    with pytest.raises(SignerRevoked):
        issuer.signer()
    assert "Document Signer 2" in run("renew", "document-signer").output
    assert issuer.signer().ref.version == 2
    issuer.close()


def test_without_a_keystore_the_way_out_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNGGAL_DEV_KEYS", "false")
    refused = run("list")
    assert refused.exit_code == 1
    assert "KEYSTORE_UNAVAILABLE" in refused.output


def test_the_same_commands_work_on_a_token(run: Run, tmp_path: Path, home: Path) -> None:
    """In processes of their own: SoftHSM reads its configuration once a process."""
    module = next((path for path in MODULES if path.exists()), None)
    if module is None or shutil.which("softhsm2-util") is None or importlib.util.find_spec("pkcs11") is None:
        pytest.skip("SoftHSM or python-pkcs11 is not installed")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    (home / "pin").write_text("1234")
    path = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf"),
        "TUNGGAL_PKCS11_MODULE": str(module),
        "TUNGGAL_PKCS11_TOKEN": "keys",
        "TUNGGAL_PKCS11_PIN_FILE": str(home / "pin"),
    }
    init = ["softhsm2-util", "--init-token", "--free", "--label", "keys", "--pin", "1234", "--so-pin", "5678"]
    subprocess.run(init, check=True, capture_output=True, env=environment)
    _, _, whole = split(run, tmp_path)
    papers = [
        f"--component={who}={tmp_path / 'papers' / f'{CARD_MASTER}-{who}.component'}"
        for who in ("ani", "budi")
    ]

    def go(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "keys", *command, "--data-dir", str(home)],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    held = go(*HOLD, "--protocol", str(tmp_path / "protocol.json"), "--expect", whole, *papers)
    assert whole in held
    assert "card-master/2" in go("rotate", CARD_MASTER)
    listed = json.loads(go("list", "--json"))["keys"]
    assert [key["version"] for key in listed if key["name"] == CARD_MASTER] == [1, 2]
