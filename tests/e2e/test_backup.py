"""The commands of docs/deployment.md on a daemon that runs: a backup restores, and a lost store is survived."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, TOKEN, EmulatedCloud, RunningDaemon, finished, policy, until, write_config

pytestmark = pytest.mark.process

DEPLOYMENT = (ROOT / "docs/deployment.md").read_text()
SCENARIO = {
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than any number of nodes can carry
}
EAGER = policy(
    cooldown={"out": "1m"},
    warm_up="0s",
    nodes={"min": 2, "max": 32},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)


def documented(beginning: str, replacing: Mapping[str, object]) -> str:
    """The one command of the page that begins so, with its paths replaced."""
    (command,) = re.findall(rf"^{re.escape(beginning)}.*$", DEPLOYMENT, re.MULTILINE)
    for there, here in replacing.items():
        assert there in command
        command = command.replace(there, str(here))
    return str(command)


def by_sqlite3(state: Path, backup: Path) -> str:
    paths = {"/var/lib/ddm-autoscaler/autoscaler.db": state / "autoscaler.db", "/var/backups/autoscaler.db": backup}
    return documented("sqlite3 -readonly /var/lib", paths)


def by_python(state: Path, backup: Path) -> str:
    paths = {
        "/state/autoscaler.db": state / "autoscaler.db",
        "/state/backup.db": backup,
        "python3 ": f"{sys.executable} ",
    }
    return documented('python3 -c "import sqlite3', paths)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )


def pause(daemon: RunningDaemon) -> None:
    done = finished(
        *("pause", "orders", "--reason", "we move", "--url", daemon.url),
        environment={"AUTOSCALER_SERVER__TOKEN": TOKEN, "LOGNAME": "ann"},
    )
    assert done.code == 0, done.said


def ours(daemon: RunningDaemon) -> list[dict]:
    return [one for one in daemon.operations() if not one["foreign"]]


@pytest.mark.parametrize("copied", [by_sqlite3, by_python], ids=["sqlite3", "Python"])
def test_a_backup_of_a_running_daemon_restores_operations_and_pauses_and_repeats_nothing(
    copied: Callable[[Path, Path], str], tmp_path, started, require_tool
):
    require_tool("sqlite3")
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=300))
    environment = write_config(tmp_path, cloud, targets={"orders": EAGER})
    state, backup = tmp_path / "state", tmp_path / "backup.db"
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    until(lambda: ours(daemon), lambda found: len(found) >= 2 and found[0]["state"] == "submitted")
    pause(daemon)

    done = shell(copied(state, backup))
    assert (done.returncode, done.stderr) == (0, "")
    again = shell(copied(state, backup))
    assert again.returncode != 0, "an earlier copy is never overwritten"
    at_copy = {one["id"] for one in ours(daemon)}
    checked = shell(documented("sqlite3 -readonly /var/backups", {"/var/backups/autoscaler.db": backup}))
    assert checked.stdout.strip() == "ok"
    until(daemon.decisions, lambda found: found[0]["reason"] == "paused")  # it goes on writing
    daemon.kill()
    sent = cloud.mutations()

    shutil.rmtree(state)
    state.mkdir()
    shutil.copy(backup, state / "autoscaler.db")
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    ended = until(lambda: ours(daemon), lambda found: all(one["state"] == "succeeded" for one in found))
    assert {one["id"] for one in ended} == at_copy
    assert daemon.target()["pauses"][0]["reason"] == "we move"
    assert cloud.mutations() == sent
    assert daemon.stop() == 0


def test_a_lost_store_learns_from_the_clouds_jobs_and_has_forgotten_the_pause(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=300))
    environment = write_config(tmp_path, cloud, targets={"orders": EAGER | {"cooldown": {"out": "12h"}}})
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    until(lambda: ours(daemon), lambda found: [one["state"] for one in found] == ["succeeded"])
    pause(daemon)
    daemon.kill()
    sent = cloud.mutations()

    shutil.rmtree(tmp_path / "state")
    daemon = started(RunningDaemon(tmp_path, environment | {"AUTOSCALER_MODE_CEILING": "observe"})).ready()
    held = until(daemon.decisions, lambda found: bool(found) and "cooldown" in found[0]["vetoes"])[0]
    assert "observe_only" in held["vetoes"], "as the page says to start it"
    (job,) = daemon.operations()
    assert (job["foreign"], job["direction"], job["job_id"]) == (True, "out", sent[0]["job_id"])
    assert daemon.target()["pauses"] == []
    assert daemon.stop() == 0

    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    until(daemon.decisions, lambda found: "observe_only" not in found[0]["vetoes"])
    assert cloud.mutations() == sent, "what the store knew no longer, the cooldown of the job still holds back"
