"""Image, compose, cluster and monitoring files are valid and closed by default; a typo in them is found."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import ray.autoscaler
import yaml

from tg_actors.telemetry.metrics import DeskMetrics

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker" / "compose.yaml"
DOCKERFILE = ROOT / "docker" / "Dockerfile"
CLUSTER = ROOT / "cluster.yaml"
MONITORING = ROOT / "configs" / "monitoring"


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_schema(path: Path, *schema: str) -> subprocess.CompletedProcess[str]:
    return run_tool(sys.executable, "-m", "check_jsonschema", *schema, str(path))


def check_compose(path: Path) -> subprocess.CompletedProcess[str]:
    return check_schema(path, "--builtin-schema", "vendor.compose-spec")


def check_cluster(path: Path) -> subprocess.CompletedProcess[str]:
    """Apply what ``ray up`` applies: the schema lies in Ray's wheel, its validator is private."""
    return check_schema(path, "--schemafile", str(Path(ray.autoscaler.__file__).with_name("ray-schema.json")))


def check_dockerfile(path: Path) -> subprocess.CompletedProcess[str]:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    return run_tool(str(hadolint), "--failure-threshold=info", str(path))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def misspell(path: Path, word: str, wrong: str, folder: Path) -> Path:
    """Copy a file with one word misspelt."""
    text = path.read_text()
    assert word in text
    copy = folder / path.name
    copy.write_text(text.replace(word, wrong, 1))
    return copy


def test_compose_file_follows_the_compose_specification() -> None:
    result = check_compose(COMPOSE)
    assert result.returncode == 0, result.stdout


def test_compose_file_with_a_typo_is_refused(tmp_path: Path) -> None:
    result = check_compose(misspell(COMPOSE, "ports:", "portz:", tmp_path))
    assert result.returncode == 1
    assert "portz" in result.stdout


def test_dockerfile_has_no_complaint() -> None:
    result = check_dockerfile(DOCKERFILE)
    assert result.returncode == 0, result.stdout


def test_dockerfile_that_runs_as_root_is_refused(tmp_path: Path) -> None:
    result = check_dockerfile(misspell(DOCKERFILE, "USER 10001:10001", "USER root", tmp_path))
    assert result.returncode == 1
    assert "DL3002" in result.stdout


def test_cluster_file_follows_rays_schema() -> None:
    result = check_cluster(CLUSTER)
    assert result.returncode == 0, result.stdout


def test_cluster_file_with_a_typo_is_refused(tmp_path: Path) -> None:
    result = check_cluster(misspell(CLUSTER, "max_workers", "max_worker", tmp_path))
    assert result.returncode == 1
    assert "'max_worker' was unexpected" in result.stdout


def test_cluster_file_starts_ray_with_a_token_only() -> None:
    config = load(CLUSTER)
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert any(target.endswith("/.ray/auth_token") for target in config["file_mounts"])
    assert all(line.startswith("test -s ~/.ray/auth_token &&") for line in starts if "ray start" in line)
    assert "--dashboard-host=127.0.0.1" in " ".join(config["head_start_ray_commands"])


@pytest.mark.parametrize("name", load(COMPOSE)["services"])
def test_service_is_closed_by_default(name: str) -> None:
    service = load(COMPOSE)["services"][name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "no-new-privileges:true" in service["security_opt"]
    assert ":" in service["image"]
    assert not service["image"].endswith(":latest")
    plain = {key for key in service.get("environment", {}) if re.search(r"PASSWORD|TOKEN|SECRET|KEY", key)}
    assert all(key.endswith("_FILE") for key in plain)


def test_files_mounted_by_compose_exist() -> None:
    mounts = [mount for service in load(COMPOSE)["services"].values() for mount in service.get("volumes", [])]
    sources = [mount.split(":")[0] for mount in mounts if mount.startswith("..")]
    assert sources
    assert [source for source in sources if not (COMPOSE.parent / source).is_file()] == []


def test_monitoring_speaks_of_metrics_that_the_desk_has() -> None:
    spoken = set(re.findall(r"\btg_\w+", (MONITORING / "alerts.yaml").read_text()))
    spoken |= set(re.findall(r"\btg_\w+", (MONITORING / "grafana" / "desk.json").read_text()))
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
    families = DeskMetrics().registry.collect()
    assert spoken - {family.name + end for family in families for end in suffixes[family.type]} == set()


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    rules = [rule for group in load(MONITORING / "alerts.yaml")["groups"] for rule in group["rules"]]
    assert rules
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "action"}, rule["alert"]


def test_alerts_are_loaded_and_sent_to_a_receiver() -> None:
    prometheus = load(MONITORING / "prometheus.yaml")
    alertmanager = load(MONITORING / "alertmanager.yaml")
    assert [(MONITORING / name).is_file() for name in prometheus["rule_files"]] == [True]
    targets = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert [target.split(":")[0] for target in targets] == ["alertmanager"]
    receivers = [receiver["name"] for receiver in alertmanager["receivers"]]
    assert alertmanager["route"]["receiver"] in receivers
