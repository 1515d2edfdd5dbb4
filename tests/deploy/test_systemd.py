"""The systemd unit: systemd verifies it and finds it well kept, and the daemon accepts what it is told by it."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.deploy import files
from tests.e2e.processes import finished

UNIT = files.DEPLOY / "systemd/ddm-autoscaler.service"
PROGRAM = "/opt/ddm-autoscaler/bin/autoscaler"
MOST_EXPOSED = 20
"""Tenths: what systemd calls OK; a unit that is kept from nothing has 96."""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit, with the program where it is on this machine."""
    program = Path(sys.executable).with_name("autoscaler")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(program)))
    return unit


def values() -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_systemd_verifies_it(installed, require_tool):
    done = subprocess.run(
        [require_tool("systemd-analyze"), "verify", "--man=no", installed],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_it_little_exposed(installed, require_tool):
    command = [require_tool("systemd-analyze"), "security", "--offline=yes", "--no-pager"]
    done = subprocess.run(
        [*command, f"--threshold={MOST_EXPOSED}", installed], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def test_a_line_that_is_not_of_a_list_stands_once():
    lists = {"Environment", "LoadCredential", "SystemCallFilter"}

    assert {name for name, found in values().items() if len(found) > 1} == lists


def test_the_daemon_accepts_its_variables_and_credentials(tmp_path):
    environment = dict(one.split("=", 1) for one in values()["Environment"])
    assert environment["AUTOSCALER_SECRETS_DIR"] == "%d", "the folder of the credentials"
    for credential in values()["LoadCredential"]:
        name, _, file = credential.partition(":")
        assert file == f"/etc/ddm-autoscaler/secrets/{name}"
        (tmp_path / name).write_text("something\n")

    shown = environment | {"AUTOSCALER_SECRETS_DIR": str(tmp_path)}
    done = finished("check", "--config", str(files.CHECKOUT / "config/autoscaler.yaml"), environment=shown)
    assert done.code == 0, done.said


def test_its_state_is_kept_where_the_store_is():
    (folder,) = values()["StateDirectory"]

    assert f"AUTOSCALER_STORE=sqlite:////var/lib/{folder}/autoscaler.db" in values()["Environment"]
    assert values()["RestartPreventExitStatus"] == ["2"], "a configuration that is wrong stays wrong"
    assert re.match(rf"{PROGRAM} run --config /etc/ddm-autoscaler/autoscaler.yaml$", values()["ExecStart"][0])


def test_the_page_installs_what_the_unit_names():
    page = (files.CHECKOUT / "docs/deployment.md").read_text()

    for path in ("/opt/ddm-autoscaler", "/etc/ddm-autoscaler/secrets", "/etc/systemd/system/"):
        assert path in page
