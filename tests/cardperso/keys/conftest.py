"""Both keystores: the file, and a token of SoftHSM where it is installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cardperso.keys import filestore
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.keys.keystore import Keystore
from services.cardperso.keys.token import TokenKeystore

PIN = "271828"
PASSPHRASE = "correct horse battery staple"
_MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of SoftHSM's PKCS#11 library, which keeps its tokens in a directory of this test run."""
    module = next((path for path in _MODULES if path.exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not installed (package softhsm2)")
    if importlib.util.find_spec("pkcs11") is None:
        pytest.skip("python-pkcs11 is not installed")
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    configuration = home / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {home / 'tokens'}\nlog.level = ERROR\n")
    # The library reads this once, when the first token is opened in this process.
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    return str(module)


@pytest.fixture
def token_label(softhsm: str, request: pytest.FixtureRequest) -> str:
    """Label of an empty token of this test alone."""
    label = f"t{abs(hash(request.node.nodeid)):x}"[:30]
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", PIN, "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    if (loaded := importlib.import_module("pkcs11")._loaded.get(softhsm)) is not None:
        # It knows only the tokens that were there when it was loaded.
        loaded.reinitialize()
    return label


@pytest.fixture
def file_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileKeystore:
    monkeypatch.setattr(filestore, "SCRYPT_N", 2**10)
    return FileKeystore.create(tmp_path / "keystore.json", PASSPHRASE)


@pytest.fixture(params=["file", "token"])
def store(request: pytest.FixtureRequest) -> Iterator[Keystore]:
    """An empty keystore, once in a file and once in a token."""
    store: Keystore
    if request.param == "file":
        store = request.getfixturevalue("file_store")
    else:
        label = request.getfixturevalue("token_label")
        store = TokenKeystore(request.getfixturevalue("softhsm"), label, PIN)
    yield store
    store.close()
