"""The manifests are valid, agree with each other and with the settings of the services."""

import importlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.common.settings import SERVICES, ServiceSettings

BASE = Path(__file__).parents[2] / "deploy" / "k8s" / "base"
Manifest = dict[str, Any]
each_service = pytest.mark.parametrize("service", SERVICES)


def test_every_manifest_passes_strict_validation(manifests: list[Manifest]) -> None:
    version = kubernetes_validate.latest_version()
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_strict_validation_notices_a_misspelt_field(manifests: list[Manifest]) -> None:
    deployment = json.loads(json.dumps(_one(manifests, "Deployment", "inventory")))
    deployment["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_renders_what_the_files_say(manifests: list[Manifest]) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on this machine; the files are checked without it")
    done = subprocess.run([kubectl, "kustomize", str(BASE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))

    assert sorted(map(_name, rendered)) == sorted(map(_name, manifests))
    assert {m["metadata"].get("namespace") for m in rendered if m["kind"] != "Namespace"} == {"tunggal"}


@each_service
def test_each_service_has_all_that_it_needs(service: str, manifests: list[Manifest]) -> None:
    for kind in ("Deployment", "Service", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim"):
        assert _one(manifests, kind, service)["metadata"]["labels"]["app.kubernetes.io/name"] == service


@each_service
def test_every_variable_is_a_setting_and_its_value_is_accepted(
    service: str, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = _environment(manifests, service)
    settings_type = _settings_type(service)
    known = {f"TUNGGAL_{field.upper()}" for field in settings_type.model_fields}
    assert {name for name in variables if name.startswith("TUNGGAL_")} <= known

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = settings_type()
    assert not settings.dev_ca, "a cluster must never make up its certificates"


@each_service
def test_ports_agree_everywhere(service: str, manifests: list[Manifest]) -> None:
    variables = _environment(manifests, service)
    pod = _one(manifests, "Deployment", service)["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    defaults = _settings_type(service).model_fields
    for name, field in (("grpc", "listen"), ("health", "health_listen"), ("metrics", "metrics_listen")):
        assert variables[f"TUNGGAL_{field.upper()}"] == f"0.0.0.0:{ports[name]}"
        assert defaults[field].default == f"127.0.0.1:{ports[name]}", "the same port as outside a cluster"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"]["port"] == ports["health"], "mTLS is beyond a kubelet"
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"])
    (port,) = _one(manifests, "Service", service)["spec"]["ports"]
    assert port == {"name": "grpc", "port": ports["grpc"], "targetPort": "grpc"}


@each_service
def test_endpoints_are_services_of_this_base(service: str, manifests: list[Manifest]) -> None:
    fields = [field for field in _settings_type(service).model_fields if field.endswith("_endpoint")]
    variables = _environment(manifests, service)
    for field in fields:
        peer, _, port = variables[f"TUNGGAL_{field.upper()}"].partition(":")
        assert field == f"{peer}_endpoint"
        assert int(port) == _one(manifests, "Service", peer)["spec"]["ports"][0]["port"]


@each_service
def test_labels_lead_from_the_service_to_its_pods(service: str, manifests: list[Manifest]) -> None:
    deployment = _one(manifests, "Deployment", service)["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert _one(manifests, "Service", service)["spec"]["selector"] == labels
    assert deployment["template"]["spec"]["serviceAccountName"] == service


@each_service
def test_pods_are_restricted(service: str, manifests: list[Manifest]) -> None:
    pod = _one(manifests, "Deployment", service)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@each_service
def test_one_pod_at_a_time_writes_the_volume(service: str, manifests: list[Manifest]) -> None:
    deployment = _one(manifests, "Deployment", service)["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    # The service must have drained before Kubernetes kills it.
    grace = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > _settings_type(service).model_fields["drain_seconds"].default


@each_service
def test_what_is_mounted_is_what_the_settings_name(service: str, manifests: list[Manifest]) -> None:
    variables = _environment(manifests, service)
    pod = _one(manifests, "Deployment", service)["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}

    assert mounts.keys() == volumes.keys()
    assert mounts["data"]["mountPath"] == variables["TUNGGAL_DATA_DIR"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == service
    assert mounts["tls"]["mountPath"] == variables["TUNGGAL_TLS_DIR"]
    assert mounts["tls"]["readOnly"] is True
    assert volumes["tls"]["secret"]["secretName"] == f"{service}-tls"


def _settings_type(service: str) -> type[ServiceSettings]:
    settings: type[ServiceSettings] = importlib.import_module(f"services.{service}.settings").Settings
    return settings


def _name(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (manifest for manifest in manifests if _name(manifest) == (kind, name))
    return found


def _environment(manifests: list[Manifest], service: str) -> dict[str, str]:
    """The variables that the container of ``service`` sees."""
    container = _one(manifests, "Deployment", service)["spec"]["template"]["spec"]["containers"][0]
    variables: dict[str, str] = {}
    for source in container["envFrom"]:
        variables |= _one(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    # A field of the pod is known in the cluster only; its path stands for it.
    for variable in container.get("env", []):
        known = variable.get("value") or variable["valueFrom"]["fieldRef"]["fieldPath"]
        variables[variable["name"]] = known
    return variables
