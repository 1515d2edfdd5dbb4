"""The daemon: where all parts are put together, started in order, and drained in reverse.

    store ─> web server ─> sign-in (again and again) ─> reconcile ─> beats ─> … stop … ─> drain ─> web ─> cloud ─> store

It ends by itself only for what somebody must mend: configuration, store, port, or credentials that are refused at the
first sign-in. A cloud that cannot be reached leaves it not ready and trying again.
"""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from autoscaler import configuration, rereading
from autoscaler import settings as settings_module
from autoscaler.clock import Clock
from autoscaler.control.announcer import Announcer
from autoscaler.control.broadcast import Broadcast
from autoscaler.control.console import DaemonConsole, Readiness
from autoscaler.control.correspondence import Correspondent
from autoscaler.control.cycle import Cycle
from autoscaler.control.deliverer import Deliverer
from autoscaler.control.executor import Executor
from autoscaler.control.feed import Feed
from autoscaler.control.leader import Leadership
from autoscaler.control.memory import Memory
from autoscaler.control.poller import Poller, under
from autoscaler.control.reconciler import Reconciler
from autoscaler.control.reloading import Reloader
from autoscaler.control.roster import Roster
from autoscaler.control.scheduler import Scheduler
from autoscaler.control.sources import Sources
from autoscaler.control.watching import Watch
from autoscaler.core.announcement import Subscription
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode
from autoscaler.errors import AccessRefused, AutoscalerError, CloudError
from autoscaler.huaweicloud import connection, transport
from autoscaler.huaweicloud.cloud import HuaweiCloud
from autoscaler.ports import Cause, Cloud, Courier, Monitor
from autoscaler.prometheus import connection as prometheus_connection
from autoscaler.storage import opening
from autoscaler.storage.database import DatabaseStore
from autoscaler.telemetry.metrics import Metrics
from autoscaler.telemetry.monitor import Telemetry
from autoscaler.web import addressed, app, server
from autoscaler.webhooks.courier import HttpCourier
from autoscaler.webhooks.endpoint import Endpoint

DRAIN_SECONDS = 7.0
"""Real seconds for calls under way at a stop: with what follows, within the 10 s that container engines wait."""

LAST_WORDS = 0.75
"""Real seconds after that for the store: what was cut off is written down, and the lease is given up."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Real seconds between attempts to sign in, doubling."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that the daemon is told, validated."""

    connection: connection.Connection
    sources: tuple[prometheus_connection.Connection, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    policies: tuple[Policy, ...]
    store: str = field(repr=False)  # sqlite:////absolute/path or postgresql+psycopg://…, perhaps with a password
    host: str
    port: int
    hosts: tuple[str, ...] = ()  # other names under which it is asked
    token: SecretStr | None = None
    ceiling: Mode = Mode.ENFORCE
    shown: dict[str, Any] = field(default_factory=dict)  # the settings for /api/v1/config, secrets masked


@dataclass(frozen=True)
class Surroundings:
    """How the daemon meets the world outside its process; a simulation brings its own."""

    wire: transport.Wire = transport.sockets
    serve: type[server.Server] = server.Server
    courier: Callable[[Endpoint], Courier] = HttpCourier
    store: Callable[..., DatabaseStore] = opening.open_store  # of a URL, with `correspondence`


class Daemon:
    """One process's life: `async with` opens store and port, `run` works until `stop` is set.

    Raises:
        StoreError, ListenError, BadConfig: what was given cannot be used.
    """

    def __init__(
        self,
        setup: Setup,
        clock: Clock,
        surroundings: Surroundings = Surroundings(),
        *,
        origin: configuration.Origin | None = None,
    ) -> None:
        """`origin`: where the setup was read from, to be read anew when it changes."""
        self._clock = clock
        self._roster = Roster(setup.policies, ceiling=setup.ceiling, settings=setup.shown)
        self.why = "asked to"  # whoever sets `stop` may say better
        self._readiness = Readiness()
        self._readiness.lacks("sign-in", "not signed in yet")
        metrics = Metrics(clock, ceiling=setup.ceiling)
        self._publish = metrics.render
        metrics.config_loaded(successful=True)
        self._feed = Feed(clock)
        correspondent = Correspondent(
            setup.subscriptions, source=f"/ddm-autoscaler/{setup.connection.region}", clock=clock
        )
        announcer = Announcer(correspondent, clock)
        self._monitor: Monitor = Broadcast(Telemetry(metrics), self._feed, announcer)
        self._beside: set[asyncio.Task[object]] = set()
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            store = surroundings.store(setup.store, correspondence=correspondent)
            opened.callback(store.close)
            self._store = store
            metrics.leads(leader=store.lease is None)  # until the first claim nobody knows that we do
            self._huawei = HuaweiCloud(setup.connection, time=clock, monitor=self._monitor, wire=surroundings.wire)
            self._cloud: Cloud = self._huawei.cloud
            self._servers = rereading.Servers(setup.sources, clock=clock, monitor=self._monitor)
            servers = rereading.sources_of(self._huawei.metrics, self._servers)
            sources = Sources(servers, tidy=self._servers.close_left)
            memory = Memory()
            self._leadership = Leadership(store.lease, clock=clock, monitor=self._monitor)
            receivers = rereading.Receivers(setup.endpoints, surroundings.courier)
            self._deliverer = Deliverer(
                receivers.by_name,
                store=store,
                correspondent=correspondent,
                announcer=announcer,
                leadership=self._leadership,
                clock=clock,
                monitor=self._monitor,
            )
            executor = Executor(
                cloud=self._cloud,
                store=store,
                clock=clock,
                monitor=self._monitor,
                memory=memory,
                leadership=self._leadership,
            )
            self._reconciler = Reconciler(
                cloud=self._cloud,
                store=store,
                clock=clock,
                monitor=self._monitor,
                memory=memory,
                in_flight=executor.in_flight,
                leadership=self._leadership,
            )
            poller = Poller(
                cloud=self._cloud,
                metrics=sources,
                store=store,
                memory=memory,
                leadership=self._leadership,
                monitor=self._monitor,
            )
            cycle = Cycle(
                cloud=self._cloud,
                store=store,
                clock=clock,
                monitor=self._monitor,
                memory=memory,
                poller=poller,
                executor=executor,
                roster=self._roster,
            )
            self._scheduler = Scheduler(
                cycle=cycle,
                reconciler=self._reconciler,
                store=store,
                clock=clock,
                monitor=self._monitor,
                publish=metrics.render,
                leadership=self._leadership,
            )
            anew = None
            if origin is not None:
                anew = rereading.Rereading(
                    origin,
                    metrics=metrics,
                    servers=self._servers,
                    sources=sources,
                    cloud=self._huawei.metrics,
                    outgoing=rereading.Outgoing(receivers, correspondent, self._deliverer),
                )
            self._reloader = Reloader(
                read=None if anew is None else anew.read,
                roster=self._roster,
                cycle=cycle,
                scheduler=self._scheduler,
                memory=memory,
                windows=poller.windows,
                store=store,
                clock=clock,
                monitor=self._monitor,
            )
            self._watch = None if anew is None else self._watch_of(anew)
            self.console = DaemonConsole(
                roster=self._roster,
                reloader=self._reloader,
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
                leadership=self._leadership,
            )
            hosts = addressed.Hosts(setup.host, setup.hosts)
            application = app.create_app(self.console, metrics.exposition, setup.token, hosts)
            self.web = surroundings.serve(application, host=setup.host, port=setup.port)
            self._closing = opened.pop_all()

    def _watch_of(self, anew: rereading.Rereading) -> Watch:
        return Watch(
            fingerprint=anew.fingerprint,
            known=anew.seen,
            reload=lambda: self._reloader.reload(Cause.FILES),
            clock=self._clock,
            monitor=self._monitor,
        )

    async def run(self, stop: asyncio.Event, *, before_close: Callable[[], None] = lambda: None) -> None:
        """Work until `stop`; then drain, call `before_close` while history can still be read, and close.

        Raises:
            AccessRefused: the credentials were refused at the first sign-in.
        """
        self._monitor.targets(self._roster.all)
        drained = 0.0
        self._begin(self._hurry(stop), name="hurry")
        try:
            await self.web.start()
            self._monitor.event("info", "listening", url=self.web.url)
            if self._watch is not None:
                self._begin(self._watch.run(), name="watch files")
            self._begin(self._deliverer.run(), name="deliver letters")
            if await self._sign_in(stop):
                async with self._leadership.kept():
                    drained = await self._work(stop)
                before_close()
        finally:
            self._store.ends_in(DRAIN_SECONDS + LAST_WORDS)  # where it was not the stop that ended it
            await self._end_all_beside()
            self._feed.close()
            await self.web.stop()
            await self._deliverer.aclose()
            await self._servers.aclose()
            await self._huawei.aclose()
            self._closing.close()
        self._monitor.event("info", "stopped", why=self.why, drain_seconds=drained)

    async def _work(self, stop: asyncio.Event) -> float:
        """From the first look to the end of what was under way at the stop; real seconds that this took."""
        if await _unless_stopped(stop, self._reconcile_first()):
            self._scheduler.start(self._roster.all)
            self._monitor.event("info", "ready", url=self.web.url, **_modes(self._roster))
        await stop.wait()
        self._monitor.event("info", "stopping: what is under way is finished or written down", why=self.why)
        self._readiness.lacks("stop", "stopping")
        begun = self._clock.monotonic()
        await self._end_all_beside()
        await self._scheduler.stop(DRAIN_SECONDS - (self._clock.monotonic() - begun))
        await self._deliverer.write_down()
        return round(self._clock.monotonic() - begun, 1)

    async def _hurry(self, stop: asyncio.Event) -> None:
        """From the stop on, wherever it finds us, nothing waits for the store for longer than we have."""
        await stop.wait()
        self._store.ends_in(DRAIN_SECONDS + LAST_WORDS)

    def reload_soon(self, cause: Cause = Cause.SIGNAL) -> None:
        """SIGHUP: read the configuration anew; what comes of it is in the log."""
        self._begin(self._reloader.reload(cause), name="reload")

    def _begin(self, work: Coroutine[Any, Any, object], *, name: str) -> None:
        """Beside all else, until we stop."""
        task = asyncio.create_task(work, name=name)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _end_all_beside(self) -> None:
        beside = tuple(self._beside)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    async def _sign_in(self, stop: asyncio.Event) -> bool:
        """Try until it works; False where we are to stop before that."""
        wait = FIRST_WAIT
        while not stop.is_set():
            try:
                if not await _unless_stopped(stop, self._cloud.sign_in()):
                    break
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


async def _unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work came to its end; where we are to stop before that, it is cut off.

    For what only looks: a slow cloud may take longer to answer than we have for stopping.
    """
    working, stopping = asyncio.create_task(work, name="at the start"), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        await working
        return True
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _modes(roster: Roster) -> dict[str, int]:
    """How many targets there are, and of each mode that holds under the ceiling."""
    counts = Counter(under(policy.mode, roster.ceiling).value for policy in roster.all)
    return {"targets": len(roster.all), **{mode.value: counts[mode.value] for mode in Mode if counts[mode.value]}}


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


def setup_of(found: configuration.Configuration) -> Setup:
    """What the settings and policy files say, as the daemon is told."""
    settings = found.settings
    return Setup(
        connection=connection_of(settings.cloud),
        sources=tuple(rereading.source_of(source) for source in settings.sources),
        endpoints=tuple(rereading.endpoint_of(webhook) for webhook in settings.webhooks),
        subscriptions=tuple(rereading.subscription_of(webhook) for webhook in settings.webhooks),
        policies=found.policies,
        store=settings.store.get_secret_value(),
        host=settings.listen_host,
        port=settings.listen_port,
        hosts=settings.hosts,
        token=settings.token,
        ceiling=Mode(settings.mode_ceiling.value),
        shown=settings.masked(),
    )


async def until_signal(daemon: Daemon) -> None:
    """Run until SIGTERM or SIGINT; at SIGHUP the configuration is read anew."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def stopped_by(number: signal.Signals) -> None:
        daemon.why = number.name
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped_by, number)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload_soon)
    await daemon.run(stop)
