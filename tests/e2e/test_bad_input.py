"""Bad input, on real processes: one sentence that names the place and the remedy, and never a call that changes."""

import json
import re
import signal
import socket
from collections.abc import Generator
from functools import partial
from typing import Any

import pytest

from tests.e2e import ports
from tests.e2e.processes import (
    FLAVOR,
    GROUP,
    INSTANCE,
    RULE,
    EmulatedCloud,
    Finished,
    RunningDaemon,
    finished,
    policy,
    until,
    write_config,
)

pytestmark = pytest.mark.process

SPEED = 120
LARGE = "0c0ffee0-0000-4000-8000-000000000001"
SINGLE = {"id": INSTANCE, "groups": [{"id": GROUP, "flavor": FLAVOR, "nodes": 2}]}


def two_groups(name: str) -> dict[str, Any]:
    groups = [{"id": f"{name}-{side}-gr09", "name": side, "flavor": FLAVOR, "nodes": 2} for side in ("left", "right")]
    return {"id": f"{name}in09", "groups": groups}


PREPAID = {"id": "prepaidin09", "prepaid": True, "groups": [{"id": "prepaid-gr09", "flavor": FLAVOR, "nodes": 3}]}
HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than any group can carry
    "metrics": {"lag": "1m"},
    "flavors": [
        {"id": FLAVOR, "code": "ddm.c6.xlarge.2", "vcpus": 4, "ram": 8},
        {"id": LARGE, "code": "ddm.c6.2xlarge.2", "vcpus": 8, "ram": 16},
    ],
    "instances": [SINGLE, two_groups("pair"), two_groups("twin"), PREPAID],
}
OBSERVED = {"mode": "observe"}
SECRET = "plain-to-see"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmulatedCloud]:
    """One cloud for all that must not change it; at the end it has not been changed."""
    emulated = EmulatedCloud(tmp_path_factory.mktemp("cloud"), HOT, speed=SPEED)
    yield emulated
    mutations = emulated.mutations()
    emulated.end()
    assert mutations == []


COMMANDS = ("check", "run")
TARGETS_WRONG = {
    "typo": policy(instance_id="a", node={"min": 1, "max": 2}),
    "type": policy(instance_id="b", nodes={"min": 2, "max": "many"}),
    "bounds": policy(instance_id="c", nodes={"min": 9, "max": 3}),
    "crossed": policy(instance_id="d", rules=[RULE | {"in": [{"below": 80, "for": "30m", "remove": 1}]}]),
    "touching": policy(instance_id="e", rules=[RULE | {"in": [{"below": 75, "for": "30m", "remove": 1}]}]),
    "metric": policy(instance_id="f", rules=[RULE | {"metric": "ddm_cpu_utl"}]),
    "later": policy(instance_id="g", rules=[{"name": "day", "type": "forecast", "target": 60}]),
    "first": policy(instance_id="h"),
    "second": policy(instance_id="h", group_id=None),
    "no-flavor": policy(instance_id="i", flavor_id=None),
}
SETTINGS_WRONG = {
    "polcy_files": [],
    "policy_files": ["policies.yaml", "policy/*.yaml"],
    "store": "postgresql://127.0.0.1/autoscaler",
}
CLOUD_WRONG = {"password": SECRET, "proxy": f"http://me:{SECRET}@127.0.0.1:3128"}
ENVIRONMENT_WRONG = {"AUTOSCALER_CLOUD__REGOIN": "eu-de"}

AT = r"\d+:\d+"
RULES = r"rules\[0\]"
SENTENCES = {
    "a wrong key": rf"policies\.yaml:{AT}: targets\.typo\.node: .*nodes.*",
    "a wrong key of the settings": rf"autoscaler\.yaml:{AT}: polcy_files: .*policy_files.*",
    "a wrong type": rf"policies\.yaml:{AT}: targets\.type\.nodes\.max: .*'many'.*",
    "min above max": rf"policies\.yaml:{AT}: targets\.bounds\.nodes\.min: min 9 is above max 3; .*",
    "in above out": rf"policies\.yaml:{AT}: targets\.crossed\.{RULES}\.in\[0\]\.below: .*80.*75.*",
    "in right at out": rf"policies\.yaml:{AT}: targets\.touching\.{RULES}\.in\[0\]\.below: .*75.*",
    "an unknown metric": rf"policies\.yaml:{AT}: targets\.metric\.{RULES}\.metric: .*ddm_cpu_utl\b.*ddm_cpu_util\b.*",
    "a later kind of rule": rf"policies\.yaml:{AT}: targets\.later\.{RULES}\.type: .*not.*this version.*",
    "two targets of an instance": rf"policies\.yaml:{AT}: targets\.second\.group_id: is missing; .*yaml:{AT}.*",
    "no flavor for the v2 API": rf"policies\.yaml:{AT}: targets\.no-flavor\.flavor_id: is missing; .*",
    "a pattern that matches no file": rf"autoscaler\.yaml:{AT}: policy_files\[1\]: policy/\*\.yaml matches no file; .*",
    "a password in YAML": rf"autoscaler\.yaml:{AT}: cloud\.password: .*AUTOSCALER_CLOUD__PASSWORD.*",
    "a password in a URL": rf"autoscaler\.yaml:{AT}: cloud\.proxy: .*AUTOSCALER_CLOUD__PROXY.*",
    "another kind of store": rf"autoscaler\.yaml:{AT}: store: is no store; .*sqlite:.*postgresql\+psycopg:.*",
    "a variable that means nothing": r"environment: AUTOSCALER_CLOUD__REGOIN: .*AUTOSCALER_CLOUD__REGION.*",
    "no credentials": r"environment: AUTOSCALER_CLOUD__USERNAME: is not set; .*AUTOSCALER_SECRETS_DIR",
}


@pytest.fixture(scope="module", params=COMMANDS)
def refusal(request: pytest.FixtureRequest, cloud: EmulatedCloud, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """What a command says of a configuration in which everything is wrong."""
    folder = tmp_path_factory.mktemp(request.param)
    told = write_config(folder, cloud, targets=TARGETS_WRONG, in_cloud=CLOUD_WRONG, **SETTINGS_WRONG)
    environment = told | ENVIRONMENT_WRONG
    del environment["AUTOSCALER_CLOUD__USERNAME"]
    done = finished(request.param, "--config", str(folder / "autoscaler.yaml"), environment=environment)
    return Finished(done.code, done.stdout, done.stderr.replace(f"{folder}/", ""))


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES)
def test_everything_wrong_is_said_at_once_each_at_its_place(sentence, refusal):
    assert [line for line in refusal.stderr.splitlines() if re.fullmatch(sentence, line)], refusal.stderr


def test_a_wrong_configuration_is_exit_2_and_nothing_but_places_and_sentences(refusal):
    assert (refusal.code, refusal.stdout) == (2, "")
    lines = refusal.stderr.splitlines()
    assert all(re.match(rf"(\S+\.yaml:{AT}|environment): ", line) for line in lines)
    assert len(lines) == len(set(lines))
    assert SECRET not in refusal.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_clock_that_is_none_is_exit_2(command, tmp_path):
    done = finished(command, environment={"AUTOSCALER_CLOCK": "yesterday"})
    assert (done.code, done.stdout) == (2, "")
    assert re.fullmatch(r"environment: AUTOSCALER_CLOCK: .*START@N.*", one_line(done.stderr))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_that_does_not_exist_is_named(command, tmp_path):
    done = finished(command, "--config", str(tmp_path / "no.yaml"), environment={})
    assert done.code == 2
    assert (line := one_line(done.stderr)).startswith(f"{tmp_path}/no.yaml: ")
    assert "check the path" in line


TARGETS = {
    "fine": policy(instance_id="pairin09", group_id="pair-left-gr09", **OBSERVED),
    "no-group": policy(group_id="lost-gr09"),
    "no-instance": policy(instance_id="lostin09", group_id=None),
    "which-group": policy(instance_id="twinin09", group_id=None),
    "wrong-flavor": policy(instance_id="pairin09", group_id="pair-right-gr09", flavor_id=LARGE),
    "prepaid": policy(instance_id=PREPAID["id"], group_id="prepaid-gr09"),
}
STOPS = {
    "no-group": f"instance {INSTANCE} has no group lost-gr09; its groups: {GROUP}",
    "no-instance": "there is no DDM instance lostin09",
    "which-group": "has several groups, so group_id is needed; its groups: twin-left-gr09, twin-right-gr09",
    "wrong-flavor": f"right for it: {FLAVOR} (ddm.c6.xlarge.2)",
    "prepaid": "without auto_pay: true every order would wait for payment",
}


def test_check_live_says_per_target_what_would_stop_a_scale_out_and_exits_1(cloud, tmp_path):
    environment = write_config(tmp_path, cloud, targets=TARGETS)
    config = str(tmp_path / "autoscaler.yaml")
    done = finished("check", "--live", "--config", config, "--format", "json", environment=environment)
    assert done.code == 1, done.said
    assert done.stderr == ""
    live = {finding["target"]: finding["stops"] for finding in json.loads(done.stdout)["live"]}
    assert set(live) == set(TARGETS)
    assert live.pop("fine") == []
    for name, sentence in STOPS.items():
        assert len(live[name]) == 1
        assert sentence in live[name][0]


def test_check_live_for_people_says_the_same_without_colour_in_a_pipe(cloud, tmp_path):
    environment = write_config(tmp_path, cloud, targets={"orders": policy(group_id="lost-gr09")})
    done = finished("check", "--live", "--config", str(tmp_path / "autoscaler.yaml"), environment=environment)
    assert done.code == 1
    assert "orders: a scale-out would be stopped" in done.stdout.splitlines()
    assert f"  stop: {STOPS['no-group']}" in done.stdout.splitlines()
    assert "\x1b" not in done.said


def test_run_counts_an_error_for_each_bad_target_and_goes_on_with_the_others(cloud, tmp_path, started):
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets=TARGETS))).ready()
    broken = set(STOPS) - {"prepaid"}
    for name in broken:
        until(partial(daemon.count, "evaluation_errors_total", target=name), lambda count: count >= 2)
        assert STOPS[name] in daemon.target(name)["error"]
        assert daemon.count("decisions_total", target=name) == 0
    until(lambda: daemon.decisions("fine"), lambda found: len(found) >= 2)
    assert {one["reason"] for one in daemon.decisions("fine")} <= {"observe_only", "in_progress", "cooldown"}
    assert daemon.count("evaluation_errors_total", target="fine") == 0
    assert daemon.decisions("prepaid")[0]["reason"] == "payment_required"
    assert "set auto_pay: true" in daemon.decisions("prepaid")[0]["details"]["payment_required"]
    assert daemon.get("/-/healthy").status_code == 200
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


def test_a_prepaid_instance_is_not_scaled_in(tmp_path, started):
    idle = HOT | {"load": {"constant": 1, "capacity_per_node": 100}}
    cloud = started(EmulatedCloud(tmp_path / "cloud", idle, speed=SPEED))
    soon = [RULE | {"in": [{"below": 30, "remove": 1}]}]
    target = policy(
        instance_id=PREPAID["id"], group_id="prepaid-gr09", auto_pay=True, rules=soon, scale_in_stabilization="0s"
    )
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": target}))).ready()
    held = until(lambda: [one for one in daemon.decisions() if one["reason"] == "no_scale_in"], bool)[0]
    assert (held["decision"], held["desired"]) == ("hold", 2)
    assert "prepaid" in held["details"]["no_scale_in"]
    assert cloud.mutations() == []


def test_wrong_credentials_end_run_and_check_live_with_exit_1(cloud, tmp_path):
    environment = write_config(tmp_path, cloud) | {"AUTOSCALER_CLOUD__PASSWORD": SECRET}
    config = str(tmp_path / "autoscaler.yaml")
    for arguments in (["run"], ["check", "--live"]):
        done = finished(*arguments, "--config", config, environment=environment)
        assert done.code == 1, arguments
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert "401" in line
        assert "check user name, password and domain" in line
        assert "Traceback" not in done.said
        assert SECRET not in done.said


def test_an_unreachable_cloud_is_exit_1_for_check_live_and_run_waits_for_it(tmp_path, started):
    first = ports.consecutive_free_ports(4)
    services = ("iam", "ddm", "cloud_eye", "rds")
    addresses = {name: f"http://127.0.0.1:{first + place}" for place, name in enumerate(services)}
    environment = write_config(tmp_path, addresses)
    config = str(tmp_path / "autoscaler.yaml")
    done = finished("check", "--live", "--config", config, environment=environment)
    assert done.code == 1
    assert addresses["iam"].removeprefix("http://") in one_line(done.stderr)

    daemon = started(RunningDaemon(tmp_path, environment))
    until(lambda: daemon.get("/-/ready").text, lambda text: "not signed in: " in text)
    assert daemon.get("/-/ready").status_code == 503
    assert daemon.get("/-/healthy").status_code == 200
    assert daemon.get("/").status_code == 200
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, port=first))
    daemon.ready()
    until(daemon.decisions, bool)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()
    assert cloud.alive()


def test_a_state_directory_that_cannot_be_written_is_exit_1(cloud, tmp_path):
    environment = write_config(tmp_path, cloud, store="sqlite:////proc/autoscaler/autoscaler.db")  # takes no files
    done = finished("run", "--config", str(tmp_path / "autoscaler.yaml"), environment=environment)
    assert done.code == 1
    line = one_line(done.stderr)
    assert line.startswith("error: /proc/autoscaler")
    assert "name another place in `store`" in line


def test_a_port_in_use_is_exit_1_and_named(cloud, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        environment = write_config(tmp_path, cloud, server={"listen": address})
        done = finished("run", "--config", str(tmp_path / "autoscaler.yaml"), environment=environment)
    assert done.code == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert address in line
    assert "server.listen" in line


def test_a_second_daemon_on_the_same_file_is_exit_1_and_the_first_goes_on(cloud, tmp_path, started):
    environment = write_config(tmp_path, cloud, targets={"orders": policy(**OBSERVED)})
    first = started(RunningDaemon(tmp_path, environment)).ready()
    second = finished("run", "--config", str(tmp_path / "autoscaler.yaml"), environment=environment)
    assert second.code == 1
    assert re.fullmatch(
        rf"error: {tmp_path}/state/autoscaler\.db: in use by process {first.process.pid} on \S+; stop that daemon, "
        r"or give this one a `store` of its own",
        one_line(second.stderr),
    )
    before = len(first.decisions())
    until(first.decisions, lambda found: len(found) > before)
    assert first.get("/-/healthy").status_code == 200


def test_sighup_with_files_as_they_were_is_one_line_and_nothing_else(cloud, tmp_path, started):
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": policy(**OBSERVED)})))
    daemon.ready()
    daemon.process.send_signal(signal.SIGHUP)
    told = until(lambda: [line for line in daemon.log().splitlines() if "read anew" in line], bool)
    assert [json.loads(line)["message"] for line in told] == ["the configuration was read anew: nothing changed"]
    before = len(daemon.decisions())
    until(daemon.decisions, lambda found: len(found) > before)
    assert daemon.stop() == 0


@pytest.mark.parametrize("command", ["backtest", "tune"])
def test_a_command_of_a_later_version_is_refused_by_name(command):
    done = finished(command, "x.yaml", "--for", "2h", environment={})
    assert (done.code, done.stdout) == (2, "")
    assert one_line(done.stderr) == f"error: autoscaler {command} is not in this version"


def test_an_unknown_command_is_exit_2():
    done = finished("chekc", environment={})
    assert (done.code, done.stdout) == (2, "")
    assert "chekc" in done.stderr
    assert "check" in done.stderr.replace("chekc", "")


def test_what_people_ask_a_daemon_parses_as_json_and_has_no_colour_in_a_pipe(cloud, tmp_path, started):
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"fine": TARGETS["fine"]}))).ready()
    until(lambda: daemon.decisions("fine"), bool)
    asked = finished("explain", "fine", "--url", daemon.url, "--format", "json", environment={})
    assert (asked.code, asked.stderr, json.loads(asked.stdout)["decision"]) == (0, "", "hold")
    text = finished("explain", "fine", "--url", daemon.url, environment={})
    assert text.code == 0
    assert "\x1b" not in text.said
    unknown = finished("explain", "fnie", "--url", daemon.url, environment={})
    assert unknown.code == 1
    assert "fine" in one_line(unknown.stderr)


def test_no_daemon_to_ask_is_exit_1_and_names_the_address():
    address = f"http://127.0.0.1:{ports.consecutive_free_ports(1)}"
    done = finished("status", "--url", address, environment={})
    assert (done.code, done.stdout) == (1, "")
    assert address in one_line(done.stderr)


def one_line(text: str) -> str:
    """The only line there is."""
    (line,) = text.splitlines()
    return line
