"""The whole client, put together: one transport, one session, both ports."""

from autoscaler import clock, ports
from autoscaler.huaweicloud import (
    agency,
    cloud_eye,
    data_node_cpu,
    ddm,
    endpoints,
    iam,
    mutations,
    reads,
    signing,
    skew,
    transport,
)
from autoscaler.huaweicloud.connection import AccessKey, Agency, Connection, Password, Retries, Timeouts
from autoscaler.huaweicloud.gateway import Gateway

_METADATA_TIMEOUTS = Timeouts(read_connect=3.0, read_total=3.0)
_METADATA_RETRIES = Retries(tries=2)


class HuaweiCloud:
    """`cloud` and `metrics` are the ports; sockets are opened at the first call."""

    def __init__(
        self,
        connection: Connection,
        *,
        time: clock.Clock,
        monitor: ports.Monitor,
        wire: transport.Wire = transport.sockets,
    ) -> None:
        """Put the parts together; a simulation brings a wire of its own.

        Raises:
            BadConfig: the proxy or the certificates of the settings cannot be used.
        """
        self._wire = wire
        self._transport = transport.Transport(connection, wire=wire)
        self._metadata: transport.Transport | None = None
        self._time = time
        self._monitor = monitor
        self._skew = skew.ClockSkew()
        self._reader = reads.Reader(
            self._transport.reads,
            time=time,
            monitor=monitor,
            clock_skew=self._skew,
            timeouts=connection.timeouts,
            retries=connection.retries,
        )
        sender = mutations.Sender(
            self._transport.mutations,
            time=time,
            monitor=monitor,
            clock_skew=self._skew,
            timeouts=connection.timeouts,
        )
        services = endpoints.services(connection)
        self._session = self._session_of(connection, services.iam)
        gateway = Gateway(services, session=self._session, reader=self._reader, sender=sender)
        self.cloud: ports.Cloud = ddm.DdmCloud(
            gateway,
            region=connection.region,
            api=endpoints.ddm_api(connection),
            time=time,
            clock_skew=self._skew,
            cpu=data_node_cpu.DataNodeCpu(gateway, dialect=connection.dialect, time=time),
        )
        self.metrics: ports.MetricSource = cloud_eye.CloudEye(gateway, dialect=connection.dialect, time=time)

    async def aclose(self) -> None:
        """Give up a sign-in under way and close every connection."""
        await self._session.aclose()
        await self._transport.aclose()
        if self._metadata is not None:
            await self._metadata.aclose()

    def _session_of(self, connection: Connection, iam_url: str) -> iam.Session:
        given = connection.credentials
        if isinstance(given, Password):
            return iam.PasswordSession(
                connection, given, iam_url, reader=self._reader, time=self._time, clock_skew=self._skew
            )
        return iam.KeySession(
            connection,
            self._keys_of(connection, given),
            iam_url,
            reader=self._reader,
            time=self._time,
            clock_skew=self._skew,
        )

    def _keys_of(self, connection: Connection, given: AccessKey | Agency) -> iam.KeySource:
        if isinstance(given, AccessKey):
            return iam.FixedKeys(signing.Keys(given.access_key, given.secret_key, given.security_token))
        self._metadata = transport.Transport(connection, wire=self._wire, proxied=False)
        reader = reads.Reader(
            self._metadata.reads,
            time=self._time,
            monitor=self._monitor,
            clock_skew=None,
            timeouts=_METADATA_TIMEOUTS,
            retries=_METADATA_RETRIES,
        )
        return agency.AgencyKeys(
            given.metadata_url,
            reader=reader,
            now=lambda: self._skew.cloud_time(self._time.now()),
            monotonic=self._time.monotonic,
        )
