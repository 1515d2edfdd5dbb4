"""Temporary keys of the machine's agency, from the metadata service (read as the vendor's SDK reads them)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from autoscaler import errors
from autoscaler.huaweicloud import iam, lease, reads, signing
from autoscaler.huaweicloud.records import Record
from autoscaler.huaweicloud.wire import Request

_MARGIN = timedelta(minutes=40)
_TOKEN_SECONDS = "21600"  # noqa: S105 - a duration
_NO_TOKENS = frozenset({404, 405, 503})
"""What a metadata service answers that hands out keys without a token."""

_UNAUTHORIZED = 401
_REMEDY = "give this ECS an agency that may use DDM, Cloud Eye and RDS, or use other credentials"


class AgencyKeys:
    """Keys that are fetched again when less than 40 minutes of them are left."""

    def __init__(
        self,
        metadata_url: str,
        *,
        reader: reads.Reader,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._url = metadata_url.rstrip("/")
        self._reader = reader
        self._now = now
        self._token: str | None = None
        self._keys = lease.Renewing(self._obtain, now=now, monotonic=monotonic)

    async def keys(self, *, good_for: timedelta = timedelta(0)) -> signing.Keys:
        return await self._keys.get(good_for=good_for)

    async def replace(self, refused: signing.Keys) -> bool:
        await self._keys.replace(refused)
        return True

    async def aclose(self) -> None:
        await self._keys.aclose()

    async def _obtain(self) -> lease.Lease[signing.Keys]:
        try:
            if self._token is None:
                self._token = await self._metadata_token()
            try:
                return await self._security_key()
            except errors.AccessRefused as error:
                if error.status != _UNAUTHORIZED or not self._token:
                    raise
            self._token = await self._metadata_token()
            return await self._security_key()
        except errors.CloudError as error:
            raise iam.sign_in_error(error, _REMEDY) from error

    async def _metadata_token(self) -> str:
        """A session token of the metadata service; "" where it knows none."""
        headers = {"X-Metadata-Token-Ttl-Seconds": _TOKEN_SECONDS}
        path = "/meta-data/latest/api/token"
        request = Request("iam", "metadata_token", "PUT", self._url, path, headers=headers)
        try:
            answer = await self._reader.read(request)
        except errors.CloudError as error:
            if error.status in _NO_TOKENS:
                return ""
            raise
        token = answer.body.strip()
        if not token.isascii() or b"\n" in token:
            raise errors.Unreadable(f"{request.title}: the answer is not a token", status=answer.status)
        return token.decode()

    async def _security_key(self) -> lease.Lease[signing.Keys]:
        headers = {"X-Metadata-Token": self._token} if self._token else {}
        path = "/openstack/latest/securitykey"
        request = Request("iam", "agency_keys", "GET", self._url, path, headers=headers)
        answer = await self._reader.read(request)
        record = Record.parse(answer.body, request.title).record("credential")
        keys = signing.Keys(record.text("access"), record.text("secret"), record.text("securitytoken"))
        ends_at = iam.instant(record, "expires_at")
        return lease.Lease.lasting(keys, now=self._now(), ends_at=ends_at, margin=_MARGIN)
