"""Webhooks of a running daemon: everything is told, signed, whatever crashes; and nobody waits for a receiver."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e import ports
from tests.e2e.processes import ROOT, TOKEN, EmulatedCloud, RunningDaemon, policy, until, write_config
from tests.webhooks.receiver import HANG, RESET, SECRET, Answer, Got, Receiver, receiving

pytestmark = pytest.mark.process

BEARER = {"Authorization": f"Bearer {TOKEN}"}
SPEED = 120
HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than all nodes can carry
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
EAGER = policy(
    cooldown={"out": "2m", "failed": "1m"},
    warm_up="0s",
    nodes={"min": 2, "max": 32},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)
PLANTED = (SECRET, "planted-Path-31c8")


def configured(
    folder: Path, cloud: EmulatedCloud, target: dict[str, Any] | None = None, **receivers: Receiver | dict[str, Any]
) -> dict[str, str]:
    """A daemon that tells these receivers; a mapping beside the address is more keys of a webhook."""
    webhooks = [
        {"name": name, **({"url": one.url} if isinstance(one, Receiver) else one)} for name, one in receivers.items()
    ]
    environment = write_config(folder, cloud, targets={"orders": target or EAGER}, webhooks=webhooks)
    secrets = {f"AUTOSCALER_WEBHOOKS__{name.upper()}__SECRET": SECRET for name in receivers}
    return {**environment, **secrets}


@pytest.fixture
def cloud(tmp_path: Path, started: Callable[[Any], Any]) -> EmulatedCloud:
    found: EmulatedCloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=SPEED))
    return found


def told_ends(receiver: Receiver) -> set[str]:
    """Operations whose end came; whether the receiver took it says the daemon's own count of what waits."""
    return {event["data"]["operation"]["id"] for event in receiver.events("operation_ended")}


def example() -> Callable[[str, dict[str, str], bytes], bool]:
    """What docs/webhooks.md tells receivers to do."""
    page = (ROOT / "docs/webhooks.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own example
    check: Callable[[str, dict[str, str], bytes], bool] = names["is_ours"]
    return check


def test_what_happens_is_told_signed_and_no_secret_shows_anywhere(tmp_path, started, cloud):
    with receiving() as everything, receiving() as some:
        choosy = {"url": some.url, "events": ["override", "reload_failed"], "targets": ["nothing-*"]}
        environment = configured(tmp_path / "daemon", cloud, everything=everything, choosy=choosy)
        daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
        until(lambda: told_ends(everything), bool)
        body = {"nodes": 20, "for": "10m", "reason": "a sale"}
        httpx.post(
            f"{daemon.url}/api/v1/targets/orders/override", json=body, headers=BEARER, timeout=20
        ).raise_for_status()
        (tmp_path / "daemon/policies.yaml").write_text("targets: nothing\n")
        until(lambda: everything.events("reload_failed"), bool)
        until(lambda: everything.events("override"), bool)
        until(some.events, bool)
        shown = [daemon.get(path).text for path in ("/metrics", "/api/v1/config", "/", "/targets/orders", "/-/ready")]
        assert daemon.count("webhook_requests_total", webhook="everything", code="204") > 0
        assert daemon.stop() == 0

    (config,) = [json.loads(text) for text in shown if text.startswith("{") and '"webhooks"' in text]
    assert config["webhooks"]["everything"]["url"].endswith("/***")
    is_ours = example()
    for got in (*everything.got, *some.got):
        got.verify()
        assert is_ours(SECRET, dict(got.headers), got.body)
        assert not is_ours("another", dict(got.headers), got.body)
    first = everything.events("decision")[0]
    assert (first["subject"], first["source"]) == ("orders", "/ddm-autoscaler/cn-north-4")
    assert first["data"]["decision"]["reason"] == "above_threshold"
    assert first["data"]["operation"]["id"] in told_ends(everything)
    assert {event["type"] for event in some.events()} == {"ddm-autoscaler.reload_failed"}
    outputs = "\n".join([daemon.said(), *shown, *(got.body.decode() for got in everything.got)])
    assert [secret for secret in PLANTED if secret in outputs] == []


def test_killed_again_and_again_with_a_receiver_that_fails_every_way_nothing_is_lost(tmp_path, started, cloud):
    ways: Iterator[Answer] = cycle([500, 204, RESET, 204, HANG, 204])
    with receiving(lambda _: next(ways)) as receiver:
        environment = configured(tmp_path / "daemon", cloud, pager=receiver)
        daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
        for round_ in range(4):
            more_than(receiver, len(receiver.got))
            daemon.kill()
            target = EAGER | ({"mode": "observe"} if round_ == 3 else {})  # at last it only follows what is open
            configured(tmp_path / "daemon", cloud, target, pager=receiver)
            daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
        receiver.answers = lambda _: 204
        receiver.at_its_end.set()  # nobody hangs any more
        ours = until(daemon.operations, lambda found: not any(one["state"] in OPEN for one in found), seconds=120)
        ids = {one["id"] for one in ours if not one["foreign"]}
        until(lambda: told_ends(receiver), lambda found: found >= ids, seconds=60)
        until(lambda: daemon.count("webhook_letters_waiting", webhook="pager"), lambda found: found == 0)
        assert daemon.count("webhook_letters_given_up_total", webhook="pager") == 0
        assert daemon.stop() == 0

    assert len(ids) >= 2
    assert ids <= {event["data"]["operation"]["id"] for event in receiver.events("decision")}
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for got in receiver.got:
        got.verify()
        bodies[got.id].add(got.body)
    assert {identity for identity, found in bodies.items() if len(found) > 1} == set()


OPEN = ("planned", "submitted", "unknown")


def more_than(receiver: Receiver, heard: int) -> None:
    until(lambda: len(receiver.got), lambda found: found > heard, seconds=90)


def test_a_receiver_that_never_answers_delays_neither_a_cycle_nor_another(tmp_path, started, cloud):
    with receiving(lambda _: HANG) as stuck, receiving() as well:
        environment = configured(tmp_path / "daemon", cloud, stuck=stuck, well=well)
        daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
        until(lambda: len(told_ends(well)), lambda found: found >= 2, seconds=90)
        assert stuck.got
        late = daemon.count("cycle_lateness_seconds")
        until(lambda: daemon.count("webhook_letters_waiting", webhook="stuck"), lambda found: found >= 4)
        asked = daemon.count("webhook_requests_total", webhook="stuck")
        assert daemon.stop() == 0
    assert late < 5.0, "the receiver would hold it up for ten seconds"
    assert asked <= 2
    assert len(stuck.got) <= 3


def test_a_reload_takes_what_waits_to_the_new_address_and_410_ends_an_event(tmp_path, started, cloud):
    address = f"http://127.0.0.1:{ports.consecutive_free_ports(1)}/"  # nobody is there
    with receiving() as new:
        environment = configured(tmp_path / "daemon", cloud, pager={"url": address})
        daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
        until(lambda: daemon.count("webhook_letters_waiting", webhook="pager"), lambda found: found >= 2)
        tries = partial(daemon.count, "webhook_requests_total", webhook="pager", code="ConnectError")
        until(tries, lambda found: found >= 1)
        settings = tmp_path / "daemon/autoscaler.yaml"
        changed = yaml.safe_load(settings.read_text())
        changed["webhooks"][0]["url"] = new.url
        settings.write_text(yaml.safe_dump(changed))
        until(lambda: len(new.got), lambda found: found >= 2)
        assert new.events("decision")

        tried: dict[str, int] = defaultdict(int)

        def gone(got: Got) -> Answer:
            tried[got.id] += 1
            return 410

        new.answers = gone
        until(lambda: daemon.count("webhook_letters_given_up_total", webhook="pager"), lambda found: found >= 1)
        assert daemon.stop() == 0
    assert set(tried.values()) == {1}
    assert "planted" not in daemon.said()
