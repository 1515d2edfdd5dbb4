"""From the files of a running daemon to what it is to obey from now on, and what of it only a restart can bring."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from autoscaler import configuration, settings
from autoscaler.clock import Clock
from autoscaler.control.correspondence import Correspondent
from autoscaler.control.deliverer import Deliverer
from autoscaler.control.reloading import Fresh
from autoscaler.control.sources import Sources
from autoscaler.core.announcement import Subscription
from autoscaler.core.policy import CLOUD_EYE
from autoscaler.core.target import Mode
from autoscaler.ports import Change, Courier, MetricSource, Monitor
from autoscaler.prometheus.connection import Connection
from autoscaler.prometheus.source import PrometheusSource
from autoscaler.telemetry import logs
from autoscaler.telemetry.metrics import Metrics
from autoscaler.webhooks.courier import HttpCourier
from autoscaler.webhooks.endpoint import Endpoint


class Servers:
    """The Prometheus servers of the settings by name; one whose settings change is another server."""

    def __init__(self, connections: tuple[Connection, ...], *, clock: Clock, monitor: Monitor) -> None:
        """Sockets are opened at the first query.

        Raises:
            BadConfig: a proxy or certificates of the settings cannot be used.
        """
        self._clock = clock
        self._monitor = monitor
        self._told: dict[str, Connection] = {}
        self._left: list[PrometheusSource] = []  # replaced, and perhaps still asked
        self.by_name: dict[str, PrometheusSource] = {}
        self.put_in_place(connections, self.made(connections))

    def made(self, connections: tuple[Connection, ...]) -> dict[str, PrometheusSource]:
        """Those that are not there as they are described; nothing is replaced yet.

        Raises:
            BadConfig: a proxy or certificates of the settings cannot be used.
        """
        wanted = [one for one in connections if self._told.get(one.name) != one]
        return {one.name: PrometheusSource(one, time=self._clock, monitor=self._monitor) for one in wanted}

    def put_in_place(self, connections: tuple[Connection, ...], made: Mapping[str, PrometheusSource]) -> None:
        """These there are from now on; one that goes may still be asked, and is closed later."""
        known, before = {**self.by_name, **made}, self.by_name
        self._told = {one.name: one for one in connections}
        self.by_name = {one.name: known[one.name] for one in connections}
        self._left += [old for name, old in before.items() if self.by_name.get(name) is not old]

    async def close_left(self) -> None:
        """Close those that were replaced and are asked nothing any more."""
        idle = [one for one in self._left if one.idle]
        self._left = [one for one in self._left if not one.idle]
        for one in idle:
            await one.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        for one in (*self._left, *self.by_name.values()):
            await one.aclose()


def source_of(source: settings.SourceSettings) -> Connection:
    """The settings of a source as its client wants them."""
    token, username, password, proxy = (
        None if secret is None else secret.get_secret_value()
        for secret in (source.token, source.username, source.password, source.proxy)
    )
    return Connection(
        name=source.name,
        url=source.url,
        token=token,
        username=username,
        password=password,
        proxy=proxy,
        ca_file=None if source.ca_file is None else str(source.ca_file),
    )


def sources_of(cloud_eye: MetricSource, servers: Servers) -> dict[str, MetricSource]:
    """All metric sources, by the names that policies use."""
    return {CLOUD_EYE: cloud_eye, **servers.by_name}


def endpoint_of(webhook: settings.WebhookSettings) -> Endpoint:
    """The settings of a webhook as its courier wants them."""
    return Endpoint(
        name=webhook.name,
        url=webhook.url.get_secret_value(),
        key=settings.webhook_key("" if webhook.secret is None else webhook.secret.get_secret_value()),
        proxy=None if webhook.proxy is None else webhook.proxy.get_secret_value(),
        ca_file=None if webhook.ca_file is None else str(webhook.ca_file),
    )


def subscription_of(webhook: settings.WebhookSettings) -> Subscription:
    """What is told to a webhook."""
    return Subscription(webhook.name, frozenset(webhook.events), webhook.targets)


class Receivers:
    """The webhooks of the settings by name; one whose address or secret changes is another one."""

    def __init__(self, endpoints: Iterable[Endpoint], make: Callable[[Endpoint], Courier] = HttpCourier) -> None:
        """Sockets are opened at the first letter.

        Raises:
            BadConfig: a proxy or certificates of the settings cannot be used.
        """
        self._make = make
        self._told: Mapping[str, Endpoint] = {}
        self.by_name: Mapping[str, Courier] = {}
        self.put_in_place(self.made(endpoints))

    def made(self, endpoints: Iterable[Endpoint]) -> Mapping[Endpoint, Courier]:
        """A courier for each: the one that there is, or a new one; nothing is replaced yet.

        Raises:
            BadConfig: a proxy or certificates of the settings cannot be used.
        """
        return {
            one: self.by_name[one.name] if self._told.get(one.name) == one else self._make(one) for one in endpoints
        }

    def put_in_place(self, made: Mapping[Endpoint, Courier]) -> Mapping[str, Courier]:
        """These there are from now on, by name."""
        self._told = {endpoint.name: endpoint for endpoint in made}
        self.by_name = {endpoint.name: courier for endpoint, courier in made.items()}
        return self.by_name


@dataclass(frozen=True)
class Outgoing:
    """Everything of webhooks that a reload replaces."""

    receivers: Receivers
    correspondent: Correspondent
    deliverer: Deliverer

    def replace(self, made: Mapping[Endpoint, Courier], subscriptions: Iterable[Subscription]) -> None:
        """These there are from now on."""
        self.correspondent.subscriptions = tuple(subscriptions)
        self.deliverer.replace(self.receivers.put_in_place(made))


class Rereading:
    """The files that the daemon was started with, and what of them holds."""

    def __init__(
        self,
        origin: configuration.Origin,
        *,
        metrics: Metrics,
        servers: Servers,
        sources: Sources,
        cloud: MetricSource,
        outgoing: Outgoing,
    ) -> None:
        """`sources` are those that the daemon asks, of which `cloud` stays."""
        self._files = origin.files
        self._started = self._holds = origin.settings
        self._secrets = set(origin.settings.secrets())
        self._metrics = metrics
        self._servers = servers
        self._sources = sources
        self._cloud = cloud
        self._outgoing = outgoing
        self._seen = origin.fingerprint

    def fingerprint(self) -> str:
        """Of what the files hold now."""
        return self._files.fingerprint()

    def seen(self) -> str:
        """The fingerprint of what was last read."""
        return self._seen

    def read(self) -> Fresh:
        """What the files hold now; for a thread.

        Raises:
            BadConfig: with all that is wrong; nothing of it may be obeyed.
        """
        self._seen = self._files.fingerprint()  # before: what changes while it is read is seen to change
        found = self._files.read(running=self._started)
        holds = settings.obeyed(self._started, found.settings)
        connections = tuple(source_of(one) for one in holds.sources)
        made = self._servers.made(connections)
        couriers = self._outgoing.receivers.made(endpoint_of(one) for one in holds.webhooks)

        def put_in_place() -> None:
            self._holds = holds
            self._secrets |= set(holds.secrets())  # an old one may still be in something that is told
            logs.configure(level=holds.log_level.value, style=holds.log_format.value, secrets=self._secrets)
            self._servers.put_in_place(connections, made)
            self._sources.replace(sources_of(self._cloud, self._servers))
            self._outgoing.replace(couriers, (subscription_of(one) for one in holds.webhooks))
            self._metrics.under(Mode(holds.mode_ceiling.value))

        return Fresh(
            policies=found.policies,
            ceiling=Mode(holds.mode_ceiling.value),
            shown=holds.masked(),
            settings=tuple(Change(one.key, one.was, one.now) for one in settings.between(self._holds, holds)),
            needs_restart=settings.needs_restart(self._started, found.settings),
            other_sources=frozenset(made),
            warnings=found.warnings,
            put_in_place=put_in_place,
        )
