"""The production overlay has no development keys, and its mounts, settings and Secrets agree."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.common.settings import SERVICES

KUBERNETES = Path(__file__).parents[2] / "deploy" / "k8s"
OVERLAY, HSM = KUBERNETES / "overlays" / "production", KUBERNETES / "components" / "pkcs11"
Manifest = dict[str, Any]


def patches(folder: Path) -> list[Manifest]:
    """What a kustomization changes, in its order."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return [
        document
        for patch in kustomization["patches"]
        for document in yaml.safe_load_all((folder / patch["path"]).read_text())
    ]


def merged(old: Any, new: Any) -> Any:
    """A strategic merge as far as it is needed here: lists of things with names are merged by name."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old.get(key), value) for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list):
        named = {entry["name"]: entry for entry in old}
        named |= {entry["name"]: merged(named.get(entry["name"]), entry) for entry in new}
        return list(named.values())
    return new


def production(manifests: list[Manifest], *folders: Path) -> dict[tuple[str, str], Manifest]:
    """The base with the changes of the folders, by kind and name."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in manifests}
    for folder in folders:
        for patch in patches(folder):
            key = (patch["kind"], patch["metadata"]["name"])
            found[key] = merged(found[key], patch)
    return found


@pytest.fixture(scope="module")
def overlay(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return production(manifests, OVERLAY)


def test_every_patched_manifest_passes_strict_validation(overlay: dict[tuple[str, str], Manifest]) -> None:
    for manifest in overlay.values():
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_makes_up_keys_or_keeps_them_beside_its_data(
    service: str, overlay: dict[tuple[str, str], Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = overlay["ConfigMap", service]["data"]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = importlib.import_module(f"services.{service}.settings").Settings()
    assert not settings.dev_ca
    assert not getattr(settings, "dev_keys", False)
    pod = overlay["Deployment", service]["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mount = mounts[str(settings.key_file.parent)]
    assert mount["readOnly"]
    assert volumes[mount["name"]]["secret"]["secretName"] == f"{service}-keyring", "no service has another's"


def test_the_issuers_keys_come_from_two_secrets_and_cards_are_looked_at(
    overlay: dict[tuple[str, str], Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in overlay["ConfigMap", "cardperso"]["data"].items():
        monkeypatch.setenv(name, value)
    settings = importlib.import_module("services.cardperso.settings").Settings()
    assert (settings.quality_check, settings.card_mark, settings.spool) == (True, "", "")
    pod = overlay["Deployment", "cardperso"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    sources = {
        mount["mountPath"]: volumes[mount["name"]].get("secret", {}).get("secretName", "")
        for mount in pod["containers"][0]["volumeMounts"]
    }
    keystore = sources[str(settings.keystore.parent)]
    passphrase = sources[str(settings.keystore_passphrase_file.parent)]
    assert (keystore, passphrase) == ("cardperso-keystore", "cardperso-passphrase")
    assert str(settings.certificates) in sources


def test_the_base_says_that_its_keys_are_for_development(manifests: list[Manifest]) -> None:
    base = production(manifests)
    assert base["ConfigMap", "cardperso"]["data"]["TUNGGAL_DEV_KEYS"] == "true"


def test_a_token_takes_the_place_of_the_keystore(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = production(manifests, OVERLAY, HSM)
    for name, value in found["ConfigMap", "cardperso"]["data"].items():
        monkeypatch.setenv(name, value)
    settings = importlib.import_module("services.cardperso.settings").Settings()
    assert settings.pkcs11_module
    deployment = found["Deployment", "cardperso"]
    kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)
    mounts = deployment["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert str(settings.pkcs11_pin_file.parent) in {mount["mountPath"] for mount in mounts}


def test_kustomize_renders_the_overlay_as_it_is_read_here(
    overlay: dict[tuple[str, str], Manifest],
) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on this machine; the files are checked without it")
    done = subprocess.run([kubectl, "kustomize", str(OVERLAY)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rendered = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}
    assert rendered.keys() == overlay.keys()
    for service in SERVICES:
        assert rendered["ConfigMap", service]["data"] == overlay["ConfigMap", service]["data"]
        ours, theirs = (
            {
                volume["name"]: volume
                for volume in each["Deployment", service]["spec"]["template"]["spec"]["volumes"]
            }
            for each in (overlay, rendered)
        )
        assert ours == theirs
