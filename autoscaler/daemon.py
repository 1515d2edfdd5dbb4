"""The daemon: where all parts are put together, started in order, and drained in reverse.

    store ─> web server ─> sign-in (again and again) ─> reconcile ─> beats ─> … stop … ─> drain ─> web ─> cloud ─> store

It ends by itself only for what somebody must mend: configuration, store, port, or credentials that are refused at the
first sign-in. A cloud that cannot be reached leaves it not ready and trying again.
"""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from autoscaler import settings as settings_module
from autoscaler.clock import Clock
from autoscaler.control.broadcast import Broadcast
from autoscaler.control.console import DaemonConsole, Readiness
from autoscaler.control.cycle import Cycle
from autoscaler.control.executor import Executor
from autoscaler.control.feed import Feed
from autoscaler.control.memory import Memory
from autoscaler.control.poller import Poller, under
from autoscaler.control.reconciler import Reconciler
from autoscaler.control.scheduler import Scheduler
from autoscaler.control.sources import Sources
from autoscaler.core.policy import CLOUD_EYE, Policy
from autoscaler.core.target import Mode
from autoscaler.errors import AccessRefused, AutoscalerError, CloudError
from autoscaler.huaweicloud import connection, transport
from autoscaler.huaweicloud.cloud import HuaweiCloud
from autoscaler.ports import Cloud, MetricSource, Monitor
from autoscaler.prometheus import connection as prometheus_connection
from autoscaler.prometheus.source import PrometheusSource
from autoscaler.storage import sqlite
from autoscaler.telemetry.metrics import Metrics
from autoscaler.telemetry.monitor import Telemetry
from autoscaler.web import app, server

DRAIN_SECONDS = 7.0
"""Real seconds for calls under way at a stop: with what follows, within the 10 s that container engines wait."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Real seconds between attempts to sign in, doubling."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that the daemon is told, validated."""

    connection: connection.Connection
    sources: tuple[prometheus_connection.Connection, ...] = ()
    policies: tuple[Policy, ...]
    store: str  # sqlite:////absolute/path
    host: str
    port: int
    token: SecretStr | None = None
    ceiling: Mode = Mode.ENFORCE
    shown: dict[str, Any] = field(default_factory=dict)  # the settings for /api/v1/config, secrets masked


@dataclass(frozen=True)
class Surroundings:
    """How the daemon meets the world outside its process; a simulation brings its own."""

    wire: transport.Wire = transport.sockets
    serve: type[server.Server] = server.Server


class Daemon:
    """One process's life: `async with` opens store and port, `run` works until `stop` is set.

    Raises:
        StoreError, ListenError, BadConfig: what was given cannot be used.
    """

    def __init__(self, setup: Setup, clock: Clock, surroundings: Surroundings = Surroundings()) -> None:
        self._clock = clock
        self._policies = setup.policies
        self._ceiling = setup.ceiling
        self.why = "asked to"  # whoever sets `stop` may say better
        self._readiness = Readiness()
        self._readiness.lacks("sign-in", "not signed in yet")
        metrics = Metrics(clock, ceiling=setup.ceiling)
        self._publish = metrics.render
        metrics.config_loaded(successful=True)
        self._feed = Feed(clock)
        self._monitor: Monitor = Broadcast(Telemetry(metrics), self._feed)
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            store = sqlite.open_store(setup.store)
            opened.callback(store.close)
            self._huawei = HuaweiCloud(setup.connection, time=clock, monitor=self._monitor, wire=surroundings.wire)
            self._cloud: Cloud = self._huawei.cloud
            self._prometheus = prometheus_sources(setup, clock, self._monitor)
            memory = Memory()
            executor = Executor(cloud=self._cloud, store=store, clock=clock, monitor=self._monitor, memory=memory)
            self._reconciler = Reconciler(
                cloud=self._cloud,
                store=store,
                clock=clock,
                monitor=self._monitor,
                memory=memory,
                in_flight=executor.in_flight,
            )
            cycle = Cycle(
                cloud=self._cloud,
                store=store,
                clock=clock,
                monitor=self._monitor,
                memory=memory,
                poller=Poller(
                    cloud=self._cloud,
                    metrics=metric_sources(self._huawei, self._prometheus),
                    store=store,
                    memory=memory,
                ),
                executor=executor,
                ceiling=setup.ceiling,
            )
            self._scheduler = Scheduler(
                cycle=cycle,
                reconciler=self._reconciler,
                store=store,
                clock=clock,
                monitor=self._monitor,
                publish=metrics.render,
            )
            self.console = DaemonConsole(
                policies={policy.name: policy for policy in setup.policies},
                ceiling=setup.ceiling,
                settings=setup.shown,
                cloud=self._cloud,
                store=store,
                history=store.history,
                memory=memory,
                reconciler=self._reconciler,
                pulse=self._scheduler.pulse,
                readiness=self._readiness,
                clock=clock,
                monitor=self._monitor,
                feed=self._feed,
            )
            self.web = surroundings.serve(
                app.create_app(self.console, metrics.exposition, setup.token), host=setup.host, port=setup.port
            )
            self._closing = opened.pop_all()

    async def run(self, stop: asyncio.Event, *, before_close: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`; then drain, call `before_close` while history can still be read, and close.

        Raises:
            AccessRefused: the credentials were refused at the first sign-in.
        """
        self._monitor.targets(self._policies)
        drained = 0.0
        try:
            await self.web.start()
            self._monitor.event("info", "listening", url=self.web.url)
            if await self._sign_in(stop):
                await self._reconcile_first()
                self._scheduler.start(self._policies)
                self._monitor.event("info", "ready", url=self.web.url, **_modes(self._policies, self._ceiling))
                await stop.wait()
                self._monitor.event("info", "stopping: what is under way is finished or written down", why=self.why)
                self._readiness.lacks("stop", "stopping")
                begun = self._clock.monotonic()
                await self._scheduler.stop(DRAIN_SECONDS)
                drained = round(self._clock.monotonic() - begun, 1)
                before_close()
        finally:
            self._feed.close()
            await self.web.stop()
            for source in self._prometheus.values():
                await source.aclose()
            await self._huawei.aclose()
            self._closing.close()
        self._monitor.event("info", "stopped", why=self.why, drain_seconds=drained)

    def refuse_reload(self) -> None:
        """SIGHUP: this version reads its policies at the start only."""
        self._monitor.event("warning", "SIGHUP is ignored: restart the daemon to have it read its policies")

    async def _sign_in(self, stop: asyncio.Event) -> bool:
        """Try until it works; False where we are to stop before that."""
        wait = FIRST_WAIT
        while not stop.is_set():
            try:
                await self._cloud.sign_in()
            except AccessRefused:
                raise
            except CloudError as error:
                self._readiness.lacks("sign-in", f"not signed in: {error}")
                self._monitor.event("warning", "the cloud cannot be reached; trying again", error=str(error), wait=wait)
                await asyncio.to_thread(self._publish)  # the scheduler, which does so later, does not run yet
            else:
                self._readiness.has("sign-in")
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
            wait = min(2 * wait, LONGEST_WAIT)
        return False

    async def _reconcile_first(self) -> None:
        """What an earlier process left open comes before any new decision."""
        try:
            await self._reconciler.run_once()
        except AutoscalerError as error:
            self._monitor.event("error", "operations of an earlier run could not be followed yet", error=str(error))


def prometheus_sources(setup: Setup, clock: Clock, monitor: Monitor) -> dict[str, PrometheusSource]:
    """The Prometheus servers of the settings, by name; sockets are opened at the first query.

    Raises:
        BadConfig: a proxy or certificates of the settings cannot be used.
    """
    return {source.name: PrometheusSource(source, time=clock, monitor=monitor) for source in setup.sources}


def metric_sources(huawei: HuaweiCloud, prometheus: Mapping[str, PrometheusSource]) -> MetricSource:
    """All sources as one, by the names that policies use."""
    return Sources({CLOUD_EYE: huawei.metrics, **prometheus})


def _modes(policies: Sequence[Policy], ceiling: Mode) -> dict[str, int]:
    """How many targets there are, and of each mode that holds under the ceiling."""
    counts = Counter(under(policy.mode, ceiling).value for policy in policies)
    return {"targets": len(policies), **{mode.value: counts[mode.value] for mode in Mode if counts[mode.value]}}


def connection_of(cloud: settings_module.CloudSettings) -> connection.Connection:
    """The settings of the cloud as its client wants them."""
    return connection.Connection(
        region=cloud.region,
        credentials=_credentials(cloud),
        dialect=connection.Dialect(cloud.dialect.value),
        ddm_api=connection.DdmApi(cloud.ddm_api.value),
        project_id=cloud.project_id,
        endpoints=connection.Endpoints(
            iam=cloud.endpoints.iam,
            ddm=cloud.endpoints.ddm,
            cloud_eye=cloud.endpoints.cloud_eye,
            rds=cloud.endpoints.rds,
        ),
        proxy=_open(cloud.proxy),
        ca_file=None if cloud.ca_file is None else str(cloud.ca_file),
    )


def _source_of(source: settings_module.SourceSettings) -> prometheus_connection.Connection:
    return prometheus_connection.Connection(
        name=source.name,
        url=source.url,
        token=_open(source.token),
        username=_open(source.username),
        password=_open(source.password),
        proxy=_open(source.proxy),
        ca_file=None if source.ca_file is None else str(source.ca_file),
    )


def _credentials(cloud: settings_module.CloudSettings) -> connection.Credentials:
    if cloud.credentials is settings_module.CredentialKind.PASSWORD:
        return connection.Password(_told(cloud.username), _told(cloud.password), _told(cloud.domain))
    if cloud.credentials is settings_module.CredentialKind.ACCESS_KEY:
        return connection.AccessKey(_told(cloud.access_key), _told(cloud.secret_key), _open(cloud.security_token))
    return connection.Agency()


def _told(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _open(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def setup_of(settings: settings_module.Settings, policies: Sequence[Policy]) -> Setup:
    """What the settings and policy files say, as the daemon is told."""
    return Setup(
        connection=connection_of(settings.cloud),
        sources=tuple(_source_of(source) for source in settings.sources),
        policies=tuple(policies),
        store=settings.store,
        host=settings.listen_host,
        port=settings.listen_port,
        token=settings.token,
        ceiling=Mode(settings.mode_ceiling.value),
        shown=settings.masked(),
    )


def secrets_of(settings: settings_module.Settings) -> tuple[str, ...]:
    """Every secret that the settings hold, so that the log can mask them wherever they might turn up."""
    cloud = settings.cloud
    held = (cloud.password, cloud.secret_key, cloud.security_token, cloud.proxy, settings.token)
    of_sources = [secret for each in settings.sources for secret in (each.token, each.password, each.proxy)]
    return tuple(secret.get_secret_value() for secret in (*held, *of_sources) if secret is not None)


async def until_signal(daemon: Daemon) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP is answered with a warning, since policies are read at the start only."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def stopped_by(number: signal.Signals) -> None:
        daemon.why = number.name
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped_by, number)
    loop.add_signal_handler(signal.SIGHUP, daemon.refuse_reload)
    await daemon.run(stop)
