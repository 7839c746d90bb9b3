"""The alert rules fire when they should, and on metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tunggal.enroll.v1 import record_pb2

from services.common.settings import SERVICES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "rules.yaml"), ("test", "rules", "rules_test.yaml")]
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool") or shutil.which("promtool", path=ROOT / ".setup" / "bin")
    if promtool is None:
        pytest.skip("promtool is not on this machine; 'make setup' fetches it where apt has it")
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test(rules: list[dict[str, Any]]) -> None:
    tested = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text())["tests"]
    fired = {
        check["alertname"] for test in tested for check in test["alert_rule_test"] if check["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules}


def test_alerts_read_only_metrics_that_the_services_export(rules: list[dict[str, Any]]) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    read = {metric for rule in rules for metric in re.findall(r"\btunggal_\w+", rule["expr"])}
    assert read
    for metric in read:
        assert f'"{metric}"' in sources, metric


def test_the_waiting_alert_names_statuses_of_the_contract(rules: list[dict[str, Any]]) -> None:
    (waiting,) = (rule["expr"] for rule in rules if rule["alert"] == "TunggalOldestWaitingRecord")
    match = re.search(r'status=~"([A-Z_|]+)"', waiting)
    assert match is not None
    known = {
        name.removeprefix("RECORD_STATUS_") for name in record_pb2.RecordStatus.DESCRIPTOR.values_by_name
    }
    assert set(match[1].split("|")) <= known


def test_no_service_can_vanish_unnoticed(rules: list[dict[str, Any]]) -> None:
    (down,) = (rule["expr"] for rule in rules if rule["alert"] == "TunggalServiceDown")
    assert set(re.findall(r'absent\(up\{job="tunggal", service="(\w+)"}\)', down)) == SERVICES.keys()


def test_the_scrape_configuration_gives_the_labels_that_the_alerts_use() -> None:
    (job,) = yaml.safe_load((PROMETHEUS / "scrape.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == "tunggal"
    assert "service" in {relabel.get("target_label") for relabel in job["relabel_configs"]}
