"""The Compose file with its Prometheus and Grafana: strictly read, of one piece, and accepted by what reads it."""

import re
import shutil
import subprocess

import pytest
import yaml

import autoscaler
from autoscaler.web.addressed import Hosts
from tests.config import dashboards
from tests.deploy import files, shapes
from tests.e2e.processes import finished

FOLDER = files.DEPLOY / "compose"
COMPOSE = files.read(FOLDER / "compose.yaml")
SERVICES = COMPOSE["services"]


def mounts(service: str) -> dict[str, str]:
    """Where something is in the container, to what it is here."""
    return {one.split(":")[1]: one.split(":")[0] for one in SERVICES[service]["volumes"]}


def test_it_has_no_key_twice_and_none_that_is_unknown():
    assert files.problems(COMPOSE, shapes.COMPOSE) == []


def test_what_is_mounted_is_there_or_a_volume():
    sources = {source for service in SERVICES for source in mounts(service).values()}
    ours = {source for source in sources if source.startswith(".")}

    assert [source for source in ours if not (FOLDER / source).exists()] == []
    assert sources - ours == set(COMPOSE["volumes"])


def test_the_daemon_is_kept_from_what_it_need_not_do():
    daemon = SERVICES["autoscaler"]

    assert (daemon["read_only"], daemon["cap_drop"], daemon["tmpfs"]) == (True, ["ALL"], ["/tmp"])  # noqa: S108  # the container's
    assert all("no-new-privileges:true" in service["security_opt"] for service in SERVICES.values())
    assert daemon["image"] == f"ddm-autoscaler:{autoscaler.__version__}"


def test_the_daemon_accepts_the_mounted_configuration_with_the_example_of_credentials():
    lines = (FOLDER / f"{SERVICES['autoscaler']['env_file'][0]}.example").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    config = FOLDER / mounts("autoscaler")["/etc/ddm-autoscaler"] / "autoscaler.yaml"

    as_it_is = finished("check", "--config", str(config), environment=environment)
    assert as_it_is.code == 2
    assert as_it_is.said.count("is still the one of the example") == len(as_it_is.said.splitlines()) == 2
    own = {name: value.replace("change-me", "an-own-long-secret") for name, value in environment.items()}
    done = finished("check", "--config", str(config), environment=own)
    assert (done.code, "warning" in done.said) == (0, False), done.said


def with_what_is_left_to_you(text: str) -> str:
    """The address of the runbook and an Alertmanager are there as comments."""
    keys = "external_labels|alerting|alertmanagers|alert_relabel_configs"
    return re.sub(rf"^( *)# (?= *(?:{keys}):)", r"\1", text, flags=re.MULTILINE)


@pytest.mark.parametrize("made", [str, with_what_is_left_to_you], ids=["as it is", "with what is left to you"])
def test_prometheus_accepts_its_configuration_and_finds_the_alerts(tmp_path, require_tool, made):
    written = made((FOLDER / "prometheus.yml").read_text())
    assert (made is str) == ("runbook" not in str(yaml.safe_load(written)))
    (tmp_path / "prometheus.yml").write_text(written)
    shutil.copytree(FOLDER / mounts("prometheus")["/etc/prometheus/alerts"], tmp_path / "alerts")
    done = subprocess.run(
        [require_tool("promtool"), "check", "config", "prometheus.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout
    assert "FAILED" not in done.stdout


def test_prometheus_scrapes_the_daemon_under_the_name_that_the_alerts_ask_for():
    (scrape,) = files.read(FOLDER / "prometheus.yml")["scrape_configs"]

    assert scrape["job_name"] == dashboards.STANDS_FOR["$job"] == "ddm-autoscaler"
    assert scrape["static_configs"] == [{"targets": ["autoscaler:9178"]}]


def test_grafana_is_given_its_data_source_and_the_dashboards():
    grafana = mounts("grafana")
    (source,) = files.read(FOLDER / grafana["/etc/grafana/provisioning/datasources/datasources.yaml"])["datasources"]
    (provider,) = files.read(FOLDER / grafana["/etc/grafana/provisioning/dashboards/dashboards.yaml"])["providers"]

    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    folder = FOLDER / grafana[provider["options"]["path"]]
    assert {path.name for path in folder.glob("*.json")} == {path.name for path in dashboards.FILES}


def test_the_daemon_answers_prometheus_and_a_browser_on_this_machine():
    scraped = files.read(FOLDER / "prometheus.yml")["scrape_configs"]
    by_prometheus = [one for job in scraped for static in job["static_configs"] for one in static["targets"]]
    by_browser = SERVICES["autoscaler"]["ports"][0].rpartition(":")[0]

    everywhere = Hosts("0.0.0.0", machine="c0ffee")  # noqa: S104  # as the image listens
    assert [one for one in [*by_prometheus, by_browser] if not everywhere.know(one)] == []
