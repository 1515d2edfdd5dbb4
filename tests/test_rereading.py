"""Files of a running daemon, read anew: what of them holds, what needs a restart, and what is another server."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler import configuration, rereading
from autoscaler.clock import SystemClock
from autoscaler.control.announcer import Announcer
from autoscaler.control.correspondence import Correspondent
from autoscaler.control.deliverer import Deliverer
from autoscaler.control.leader import Leadership
from autoscaler.control.sources import Sources
from autoscaler.core.policy import Statistic
from autoscaler.core.target import Mode
from autoscaler.errors import BadConfig, CloudError
from autoscaler.ports import MetricQuery
from autoscaler.prometheus.connection import Connection
from autoscaler.telemetry.metrics import Metrics
from tests.control.test_scheduler import until
from tests.fakes import FakeClock, FakeMetrics, MemoryStore, RecordingMonitor
from tests.prometheus import servers

SETTINGS: dict[str, Any] = {
    "cloud": {"region": "cn-north-4", "project_id": "0123456789abcdef0123456789abcdef"},
    "policy_files": ["policies.yaml"],
    "sources": {"prom": {"type": "prometheus", "url": "http://127.0.0.1:9090"}},
}
TARGET = {"instance_id": "a", "flavor_id": "b", "nodes": {"min": 2, "max": 16}, "rules": []}


@dataclass
class Desk:
    """The files, and hands to change them."""

    folder: Path

    def __post_init__(self) -> None:
        secrets = self.folder / "secrets"
        secrets.mkdir()
        for name in ("USERNAME", "PASSWORD", "DOMAIN"):
            self.secret(f"CLOUD__{name}", f"first-{name.lower()}")
        self.write()
        files = configuration.Files(
            self.folder / "autoscaler.yaml", {"AUTOSCALER_SECRETS_DIR": str(secrets)}, SystemClock().now
        )
        found, self.origin = files.first()
        self.cloud_eye = FakeMetrics(FakeClock())
        connections = tuple(rereading.source_of(one) for one in found.settings.sources)
        self.servers = rereading.Servers(connections, clock=SystemClock(), monitor=RecordingMonitor())
        self.sources = Sources(rereading.sources_of(self.cloud_eye, self.servers))
        clock, monitor = FakeClock(), RecordingMonitor()
        self.correspondent = Correspondent(source="/ddm-autoscaler/test", clock=clock)
        self.receivers = rereading.Receivers(map(rereading.endpoint_of, found.settings.webhooks))
        self.deliverer = Deliverer(
            self.receivers.by_name,
            store=MemoryStore(),
            correspondent=self.correspondent,
            announcer=Announcer(self.correspondent, clock),
            leadership=Leadership(None, clock=clock, monitor=monitor),
            clock=clock,
            monitor=monitor,
        )
        self.anew = rereading.Rereading(
            self.origin,
            metrics=Metrics(SystemClock()),
            servers=self.servers,
            sources=self.sources,
            cloud=self.cloud_eye,
            outgoing=rereading.Outgoing(self.receivers, self.correspondent, self.deliverer),
        )

    def secret(self, name: str, value: str) -> None:
        (self.folder / "secrets" / f"AUTOSCALER_{name}").write_text(value)

    def write(self, targets: Any = None, **changes: Any) -> None:
        (self.folder / "autoscaler.yaml").write_text(yaml.safe_dump(SETTINGS | changes))
        (self.folder / "policies.yaml").write_text(yaml.safe_dump({"targets": targets or {"orders": TARGET}}))


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), logging.getLogger("autoscaler").level
    yield Desk(tmp_path)
    root.handlers[:] = handlers
    logging.getLogger("autoscaler").setLevel(level)


def test_files_as_they_were_change_nothing(desk):
    fresh = desk.anew.read()
    assert (fresh.settings, fresh.needs_restart, fresh.other_sources) == ((), (), frozenset())
    assert desk.anew.seen() == desk.anew.fingerprint() == desk.origin.fingerprint


def test_what_can_be_obeyed_is_and_the_rest_stays_shown_as_it_holds(desk):
    desk.write(mode_ceiling="observe", log={"level": "error"}, store="sqlite:///other.db", server={"listen": "[::1]:1"})
    fresh = desk.anew.read()
    assert fresh.ceiling is Mode.OBSERVE
    assert [(one.key, one.was, one.now) for one in fresh.settings] == [
        ("mode_ceiling", "enforce", "observe"),
        ("log.level", "info", "error"),
    ]
    assert fresh.needs_restart == ("store", "server.listen")
    assert fresh.shown["server"]["listen"] == "127.0.0.1:9178"
    fresh.put_in_place()
    again = desk.anew.read()
    assert (again.settings, again.needs_restart) == ((), ("store", "server.listen"))


def test_secrets_are_compared_and_never_shown(desk):
    desk.secret("CLOUD__PASSWORD", "second-password")
    desk.secret("SERVER__TOKEN", "second-token")
    desk.secret("SOURCES__PROM__TOKEN", "second-prom")
    fresh = desk.anew.read()
    assert desk.anew.seen() != desk.origin.fingerprint
    assert fresh.needs_restart == ("cloud.password", "server.token")
    assert [(one.key, one.was, one.now) for one in fresh.settings] == [("sources.prom.token", None, "***")]
    assert fresh.other_sources == {"prom"}
    assert "second-" not in json.dumps([fresh.shown, [vars(one) for one in fresh.settings]]) + repr(fresh.settings)


def test_the_log_masks_new_secrets_and_old_ones(desk, capsys):
    desk.secret("SOURCES__PROM__TOKEN", "second-prom")
    desk.anew.read().put_in_place()
    desk.secret("SOURCES__PROM__TOKEN", "third-prom")
    desk.anew.read().put_in_place()
    logging.getLogger("autoscaler").warning("told second-prom and third-prom and first-password")
    said = capsys.readouterr().err
    assert "told" in said
    assert "-prom" not in said
    assert "first-password" not in said


async def test_a_source_that_is_another_server_is_replaced_and_one_that_is_not_stays(desk):
    before = desk.servers.by_name["prom"]
    other = {"type": "prometheus", "url": "http://127.0.0.1:9091"}
    desk.write(sources={**SETTINGS["sources"], "other": other})
    fresh = desk.anew.read()
    assert set(desk.servers.by_name) == {"prom"}
    fresh.put_in_place()
    assert desk.servers.by_name["prom"] is before
    assert set(desk.servers.by_name) == {"prom", "other"}

    desk.write(sources={"prom": other})
    fresh = desk.anew.read()
    assert fresh.other_sources == {"prom"}
    fresh.put_in_place()
    assert set(desk.servers.by_name) == {"prom"}
    assert desk.servers.by_name["prom"] is not before
    await desk.servers.aclose()


LOAD = MetricQuery("7", Statistic.AVERAGE, timedelta(minutes=1), "", (), "prom")


@pytest.fixture
async def two() -> AsyncIterator[list[servers.Emulated]]:
    """Servers of metrics, of which the first takes its time."""
    made = [await servers.Emulated(delay=0.3).start(), await servers.Emulated().start()]
    yield made
    for server in made:
        await server.stop()


async def test_a_source_that_is_replaced_answers_what_it_was_asked_and_is_closed_then(two):
    first, second = (Connection(name="prom", url=server.url) for server in two)
    held = rereading.Servers((first,), clock=SystemClock(), monitor=RecordingMonitor())
    old = held.by_name["prom"]
    sources = Sources(held.by_name, tidy=held.close_left)
    span = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC)

    asked = asyncio.create_task(sources.fetch([LOAD], *span))
    await until(lambda: two[0].at_once == 1)
    held.put_in_place((second,), held.made((second,)))
    sources.replace(held.by_name)
    new = held.by_name["prom"]
    await sources.fetch([LOAD], *span)
    meanwhile = old.idle, old.closed

    assert not isinstance((await asked)[LOAD], CloudError)
    assert (meanwhile, old.closed, new.closed) == ((False, False), True, False)
    await held.aclose()
    assert new.closed


def test_policies_that_the_running_cloud_could_not_obey_are_refused(desk):
    """The file says v3, which needs no flavor; the process speaks v2 until its restart."""
    without = {key: value for key, value in TARGET.items() if key != "flavor_id"}
    desk.write({"orders": without}, cloud={**SETTINGS["cloud"], "ddm_api": "v3"})
    with pytest.raises(BadConfig, match="flavor_id"):
        desk.anew.read()
    desk.write(cloud={**SETTINGS["cloud"], "ddm_api": "v3"})
    assert desk.anew.read().needs_restart == ("cloud.ddm_api",)


def test_all_that_is_wrong_in_either_file_is_told(desk):
    desk.write({"orders": TARGET | {"nodes": {"min": 3, "max": 2}}}, mode_ceiling="enforced")
    with pytest.raises(BadConfig) as bad:
        desk.anew.read()
    assert {Path(problem.file).name for problem in bad.value.problems} == {"autoscaler.yaml", "policies.yaml"}
    assert desk.anew.seen() == desk.anew.fingerprint(), "what was wrong is not tried again by itself"


PAGER = {"name": "pager", "url": "https://pager.example/hook"}


async def test_a_webhook_that_is_the_same_goes_on_and_one_that_changes_is_another(desk):
    desk.secret("WEBHOOKS__PAGER__SECRET", "second-secret-of-the-pager")
    desk.write(webhooks=[PAGER])
    fresh = desk.anew.read()
    assert desk.receivers.by_name == {}
    fresh.put_in_place()
    first = desk.receivers.by_name["pager"]
    assert [one.name for one in desk.correspondent.subscriptions] == ["pager"]

    desk.write(webhooks=[{**PAGER, "events": ["breaker"], "targets": ["orders"]}])
    desk.anew.read().put_in_place()
    assert desk.receivers.by_name["pager"] is first  # who is told the same way, of other things
    assert desk.correspondent.subscriptions[0].targets == ("orders",)

    desk.secret("WEBHOOKS__PAGER__SECRET", "third-secret-of-the-pager")
    fresh = desk.anew.read()
    assert [(one.key, one.was, one.now) for one in fresh.settings] == [("webhooks.pager.secret", "***", "***")]
    fresh.put_in_place()
    assert desk.receivers.by_name["pager"] is not first

    desk.write()
    (desk.folder / "secrets/AUTOSCALER_WEBHOOKS__PAGER__SECRET").unlink()
    desk.anew.read().put_in_place()
    assert (desk.receivers.by_name, desk.correspondent.subscriptions) == ({}, ())
    await desk.deliverer.aclose()


async def test_a_webhook_of_targets_that_there_are_not_is_a_warning(desk):
    desk.secret("WEBHOOKS__PAGER__SECRET", "second-secret-of-the-pager")
    desk.write(webhooks=[{**PAGER, "targets": ["ord*", "stock", "*"]}])
    (warning,) = [one for one in desk.anew.read().warnings if "webhooks" in one]
    assert warning.endswith("autoscaler.yaml: webhooks: pager: targets: stock is the name of no target")
