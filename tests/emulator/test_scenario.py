"""Scenarios, traces, and the command: what they say when something is wrong, and what they give when all is well."""

import asyncio
import json
import signal
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from autoscaler import errors
from autoscaler.emulator import command, load, scenario

START = datetime(2026, 1, 1, tzinfo=UTC)
SERVE = "from autoscaler.emulator import command; command.run(port=0, speed=60, say=lambda t: print(t, flush=True))"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_scenario_of_the_manual_is_valid(tmp_path):
    manual = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
    example = manual.split("```yaml\n")[1].split("```")[0]
    read = scenario.read(written(tmp_path, example))
    assert (read.dialect, read.jobs.status_delay) == ("otc", timedelta(seconds=30))
    assert sorted(yaml.safe_load(example)) == sorted(scenario.Scenario.model_fields)


def test_an_empty_scenario_is_the_default(tmp_path):
    assert scenario.read(written(tmp_path, "# nothing\n")) == scenario.Scenario()


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param("seed: 1\njobs: {enlarge: soon}\n", "2:17: jobs.enlarge", "90s", id="duration"),
        pytest.param("jobs:\n  grow: 5m\n", "2:9: jobs.grow", "is not a key here; allowed: enlarge", id="unknown key"),
        pytest.param("seed: 1\nseed: 2\n", "1:1", "seed is there twice", id="twice"),
        pytest.param("seed: [\n", "2:1", "is no YAML", id="no YAML"),
        pytest.param("- 1\n", "1:1", "it must be a mapping of keys", id="a list"),
        pytest.param("faults: [{kind: flood}]\n", "1:17: faults.0.kind", "timeout_after", id="fault"),
        pytest.param("load: {constant: 5}\n", "1:7: load", "capacity_per_node", id="load"),
        pytest.param(
            "instances: [{id: i, groups: [{id: g, flavor: none}]}]\n", "1:1", "not in flavors", id="unknown flavor"
        ),
    ],
)
def test_a_wrong_scenario_names_the_place(tmp_path, text, place, message):
    with pytest.raises(errors.BadConfig) as bad:
        scenario.read(written(tmp_path, text))
    assert f"scenario.yaml:{place}" in str(bad.value)
    assert message in str(bad.value)


def test_a_missing_scenario_is_one_sentence(tmp_path):
    with pytest.raises(errors.BadConfig, match="cannot be read: No such file"):
        scenario.read(tmp_path / "none.yaml")


@pytest.mark.parametrize("trace", load.trace_names())
def test_every_shipped_trace_plays(trace):
    played = load.build(scenario.Load(trace=trace), START)
    assert played.utilisation(START, ready=8) >= 0
    assert list(played.offsets) == sorted(set(played.offsets))


def test_a_trace_is_read_as_it_is_and_loops(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text(
        "timestamp,value\n2020-01-01 00:00:00,1\n2020-01-01 00:05:00,2\n2020-01-01 00:05:00,3\n2020-01-01 00:20:00,4\n"
    )
    played = load.build(scenario.Load(file=path, peak_nodes=2), START)
    seen = [played.at(START + timedelta(minutes=minute)) for minute in (0, 4, 5, 19, 20, 25, 30, -1)]
    assert seen == [1, 1, 3, 3, 4, 1, 3, 4]
    assert played.utilisation(START + timedelta(minutes=20), ready=2) == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("timestamp,value\nyesterday,1\n", "load.csv:2:1", id="no time"),
        pytest.param("timestamp,value\n2020-01-01,-1\n", "from 0 on", id="negative"),
        pytest.param("timestamp,value\n2020-01-01,0\n", "has no load in it", id="nothing but zero"),
        pytest.param("timestamp,value\n", "needs rows", id="empty"),
    ],
)
def test_a_wrong_trace_names_the_place(tmp_path, text, message):
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(errors.BadConfig, match=message):
        load.build(scenario.Load(file=path), START)


def test_an_unknown_trace_names_those_there_are():
    with pytest.raises(errors.BadConfig, match="nyc_taxi"):
        load.build(scenario.Load(trace="moon"), START)


def test_a_configuration_that_points_at_it(tmp_path):
    said: list[str] = []
    command.run(port=9000, write_config=tmp_path, say=said.append)
    settings = yaml.safe_load((tmp_path / "autoscaler.yaml").read_text())
    policies = yaml.safe_load((tmp_path / "policies" / "emulator.yaml").read_text())
    assert settings["cloud"]["endpoints"]["rds"] == "http://127.0.0.1:9003"
    assert policies["targets"]["orders"]["mode"] == "enforce"
    assert "AUTOSCALER_CLOUD__PASSWORD=emulator\n" in (tmp_path / "emulator.env").read_text()
    assert all("emulator" not in target for target in policies["targets"])  # the log would mask it as the password
    assert sorted(said) == sorted(str(path) for path in tmp_path.rglob("*.*") if path.is_file())


def test_a_taken_port_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(errors.ListenError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            command.run(port=port)


def test_a_wrong_clock_is_a_bad_configuration(monkeypatch):
    monkeypatch.setenv("AUTOSCALER_CLOCK", "noon")
    with pytest.raises(errors.BadConfig, match="environment: AUTOSCALER_CLOCK: 'noon'"):
        command.run(port=0)


@pytest.mark.process
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_process_says_its_addresses_and_ends_on_a_signal(signum):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout
    line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    async with httpx.AsyncClient(trust_env=False) as http:
        state = (await http.get(line["iam"] + "/_emulator/state")).json()
    process.send_signal(signum)
    _, complaints = await asyncio.wait_for(process.communicate(), 10)
    assert sorted(line) == ["clock", "cloud_eye", "ddm", "iam", "rds"]
    assert line["clock"].endswith("@60")
    assert state["mutations"] == []
    assert (process.returncode, complaints) == (0, b"")
