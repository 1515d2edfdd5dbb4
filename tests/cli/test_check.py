"""`autoscaler check` and `autoscaler schema` as processes: what they print, where, and how they end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SECRETS = {
    "AUTOSCALER_CLOUD__USERNAME": "ursula",
    "AUTOSCALER_CLOUD__PASSWORD": "hunter2",
    "AUTOSCALER_CLOUD__DOMAIN": "acme",
}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOSCALER_")}
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", *arguments],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/orders.yaml").write_text(
        "targets:\n  orders: {instance_id: a, flavor_id: f, mode: enforce, nodes: {min: 2, max: 8}}\n"
    )
    (tmp_path / "autoscaler.yaml").write_text("cloud: {region: cn-north-4}\n")
    return tmp_path / "autoscaler.yaml"


def test_the_shipped_configuration_is_valid():
    done = run("check", **SECRETS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        (
            "orders: observe (decides and records, sends nothing), 2 to 16 nodes, every 1m, "
            "rules: cpu (ddm_cpu_util), connections (ddm_connection_util), office hours (schedule)"
        ),
        "config/autoscaler.yaml: valid, 1 target",
    ]


def test_without_credentials_the_variables_are_named():
    done = run("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["environment", f"AUTOSCALER_CLOUD__{name}"] for name in ("DOMAIN", "PASSWORD", "USERNAME")
    ]


def test_every_error_of_settings_and_policies_is_listed(config):
    config.write_text("cloud: {region: cn-north-4}\nlog: {level: loud}\npolicy_files: [policies/*.yaml, more/*.yaml]\n")
    (config.parent / "policies/orders.yaml").write_text(
        "targets:\n  orders: {instance_id: a, nodes: {min: 3, max: 2}}\n"
    )
    done = run("check", "--config", str(config), **SECRETS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.replace(f"{config.parent}/", "").splitlines() == [
        "autoscaler.yaml:2:14: log.level: 'loud' is not allowed; allowed: debug, info, warning, error",
        "autoscaler.yaml:3:33: policy_files[1]: more/*.yaml matches no file; write a policy file there, or correct it",
        (
            "policies/orders.yaml:2:3: targets.orders.flavor_id: is missing; the v2 API needs the id of the group's "
            "node flavor (or set cloud.ddm_api: v3)"
        ),
        "policies/orders.yaml:2:41: targets.orders.nodes.min: min 3 is above max 2; lower min or raise max",
    ]


def test_json_holds_the_targets_the_warnings_and_no_secret(config):
    done = run("check", "--config", str(config), "--format", "json", **SECRETS, AUTOSCALER_SERVICE_HOST="x")
    assert done.returncode == 0
    assert "hunter2" not in done.stdout
    printed = json.loads(done.stdout)
    assert printed["config"]["cloud"]["password"] == "***"
    (target,) = printed["targets"]
    assert (target["name"], target["mode"], target["nodes"]) == ("orders", "enforce", {"min": 2, "max": 8})
    assert printed["warnings"] == [
        "environment: AUTOSCALER_SERVICE_HOST: ignored; Kubernetes sets it for a service called autoscaler",
        f"{config.parent}/policies/orders.yaml:2: targets.orders: it has no rules, so only its bounds are kept",
    ]


def test_a_floor_and_a_cap_that_meet_within_the_year_are_a_warning_as_of_the_clock(config):
    (config.parent / "policies/orders.yaml").write_text(
        "targets:\n  orders:\n    {instance_id: a, flavor_id: f, nodes: {min: 2, max: 8}, rules: [\n"
        "      {name: day, type: schedule, cron: '0 8 * * *', duration: 10h, nodes: {min: 6}},\n"
        "      {name: thrift, type: schedule, cron: '0 9 1 1 *', duration: 1h, nodes: {max: 4}}]}\n"
    )
    done = run("check", "--config", str(config), **SECRETS, AUTOSCALER_CLOCK="2026-11-23T08:00:00Z@1.5")
    assert done.returncode == 0
    assert (
        f"warning: {config.parent}/policies/orders.yaml:2: targets.orders: the floor 6 of rule 'day' meets the cap 4 "
        "of rule 'thrift', first at 20"
    ) in done.stdout
    assert "-01-01T09:00:00Z: the floor wins\n" in done.stdout


def test_the_ceiling_shows_in_what_a_target_would_do(config):
    done = run("check", "--config", str(config), **SECRETS, AUTOSCALER_MODE_CEILING="observe")
    assert done.stdout.startswith(
        "orders: enforce, held at observe by mode_ceiling (decides and records, sends nothing)"
    )


@pytest.mark.parametrize("name", ["no.yaml", "policies"])
def test_a_configuration_that_is_no_file_is_one_line(config, name):
    done = run("check", "--config", str(config.parent / name), **SECRETS)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("kind", "file"), [("policies", "policies"), ("config", "autoscaler")])
def test_schema_prints_what_is_checked_in(kind, file):
    done = run("schema", "--kind", kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / f"config/{file}.schema.json").read_text()


def test_schema_prints_that_of_the_policies_unless_told_otherwise():
    assert json.loads(run("schema").stdout)["title"] == "Policies of the DDM autoscaler"
