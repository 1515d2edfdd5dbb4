"""Events from a running daemon: what it decides comes as it happens, and readers do not keep it from stopping."""

import json

import httpx
import pytest

from tests.e2e.processes import EmulatedCloud, RunningDaemon, write_config

pytestmark = pytest.mark.process


def test_a_reader_is_told_of_decisions_and_the_daemon_stops_in_its_usual_time(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", speed=60))
    daemon = started(RunningDaemon(tmp_path / "daemon", write_config(tmp_path / "daemon", cloud))).ready()
    path = f"{daemon.url}/api/v1/events"

    with httpx.Client(timeout=30) as http, http.stream("GET", path) as one, http.stream("GET", path) as other:
        kinds = {}
        for line in other.iter_lines():  # what the later one is told of, the earlier one is, too
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                kinds[kind] = json.loads(value)
            if {"decision", "cycle"} <= kinds.keys():
                break
        code, took = daemon.stop_timed()
        last = list(one.iter_lines())

    assert (code, kinds["decision"]["target"], kinds["cycle"]["targets"]) == (0, "orders", 1)
    assert "event: decision" in last
    assert took < 3
    assert "Traceback" not in daemon.said()
