"""Who we are: a session per kind of credentials (IAM API reference, "Obtaining a User Token", "Querying Projects")."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx

from autoscaler import clock, errors
from autoscaler.huaweicloud import flight, lease, reads, signing, skew
from autoscaler.huaweicloud.connection import Connection, Password
from autoscaler.huaweicloud.records import Record
from autoscaler.huaweicloud.wire import Answer, Request

_LEAST_MARGIN = timedelta(minutes=5)
_CLOCK_MOVED = timedelta(minutes=1)


class Session(reads.Session, Protocol):
    """Credentials, and the project in which they act."""

    @property
    def project_id(self) -> str | None:
        """Known after the first sign-in, or from the settings."""
        ...

    async def sign_in(self, *, good_for: timedelta = timedelta(0)) -> None:
        """Make sure of credentials that last that much longer.

        Raises:
            AccessRefused: they are wrong.
            Unavailable: IAM cannot be reached or is failing.
        """
        ...

    async def aclose(self) -> None:
        """Give up what is under way."""
        ...


class TokenAuth(httpx.Auth):
    """Sends a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header; never sends a second time."""
        request.headers["X-Auth-Token"] = self._token
        yield request


class PasswordSession:
    """Signs in with user, password and domain; the token is kept until shortly before its end."""

    def __init__(
        self,
        connection: Connection,
        credentials: Password,
        iam_url: str,
        *,
        reader: reads.Reader,
        time: clock.Clock,
        clock_skew: skew.ClockSkew,
    ) -> None:
        self.project_id = connection.project_id
        self._connection = connection
        self._credentials = credentials
        self._iam_url = iam_url
        self._reader = reader
        self._time = time
        self._skew = clock_skew
        self._token = lease.Renewing(self._obtain, now=self._cloud_now, monotonic=time.monotonic)

    async def auth(self) -> httpx.Auth:
        return await self._token.get()

    async def sign_in(self, *, good_for: timedelta = timedelta(0)) -> None:
        await self._token.get(good_for=good_for)

    async def renew(self, refused: httpx.Auth) -> bool:
        await self._token.replace(refused)
        return True

    async def aclose(self) -> None:
        await self._token.aclose()

    def _cloud_now(self) -> datetime:
        return self._skew.cloud_time(self._time.now())

    async def _obtain(self) -> lease.Lease[httpx.Auth]:
        request = Request(
            "iam",
            "create_token",
            "POST",
            self._iam_url,
            "/v3/auth/tokens",
            query=(("nocatalog", "true"),),
            body=self._body(),
            secrets=(self._credentials.password,),
        )
        try:
            answer = await self._reader.read(request)
            return self._lease(request, answer)
        except errors.CloudError as error:
            remedy = "check user name, password and domain, and that the region is right"
            raise sign_in_error(error, remedy, self._iam_url) from error

    def _body(self) -> dict[str, Any]:
        given = self._credentials
        user = {"name": given.username, "password": given.password, "domain": {"name": given.domain}}
        project = {"id": self.project_id} if self.project_id else {"name": self._connection.region}
        identity = {"methods": ["password"], "password": {"user": user}}
        return {"auth": {"identity": identity, "scope": {"project": project}}}

    def _lease(self, request: Request, answer: Answer) -> lease.Lease[httpx.Auth]:
        token = answer.headers.get("x-subject-token", "").strip()
        record = Record.parse(answer.body, request.title).record("token")
        if not token:
            raise record.unreadable("the header X-Subject-Token is missing")
        if self.project_id is None:
            self.project_id = record.record("project").text("id")
        now, ends_at = self._cloud_now(), instant(record, "expires_at")
        margin = max(_LEAST_MARGIN, (ends_at - now) / 10)
        return lease.Lease.lasting(TokenAuth(token), now=now, ends_at=ends_at, margin=margin)


class KeySource(Protocol):
    """Where signing keys come from."""

    async def keys(self, *, good_for: timedelta = timedelta(0)) -> signing.Keys:
        """Keys that have not ended.

        Raises:
            AccessRefused, Unavailable.
        """
        ...

    async def replace(self, refused: signing.Keys) -> bool:
        """Get others after a 401; False where there are no others."""
        ...

    async def aclose(self) -> None:
        """Give up what is under way."""
        ...


class FixedKeys:
    """An access key from the settings."""

    def __init__(self, keys: signing.Keys) -> None:
        self._keys = keys

    async def keys(self, *, good_for: timedelta = timedelta(0)) -> signing.Keys:  # noqa: ARG002 - their end is not told
        return self._keys

    async def replace(self, refused: signing.Keys) -> bool:  # noqa: ARG002 - there are no others
        return False

    async def aclose(self) -> None:
        """Nothing is under way."""


class KeySession:
    """Signs every request; the project is looked up once, by the region's name."""

    def __init__(
        self,
        connection: Connection,
        source: KeySource,
        iam_url: str,
        *,
        reader: reads.Reader,
        time: clock.Clock,
        clock_skew: skew.ClockSkew,
    ) -> None:
        self.project_id = connection.project_id
        self._region = connection.region
        self._source = source
        self._iam_url = iam_url
        self._reader = reader
        self._time = time
        self._skew = clock_skew
        self._verified = False
        self._verifying = flight.Flight(self._verify)

    async def auth(self) -> httpx.Auth:
        if self.project_id is None:
            await self.sign_in()
        return _Signature(await self._source.keys(), self._cloud_now, self.project_id, self._skew.value)

    async def sign_in(self, *, good_for: timedelta = timedelta(0)) -> None:
        await self._source.keys(good_for=good_for)
        if not self._verified:
            await self._verifying.outcome()
            self._verified = True

    async def renew(self, refused: httpx.Auth) -> bool:
        """Other keys, or the same ones where the 401's own `Date` showed that our clock had been wrong."""
        if not isinstance(refused, _Signature):
            return False
        moved = abs((self._skew.value or timedelta(0)) - refused.skew) > _CLOCK_MOVED
        return await self._source.replace(refused.keys) or moved

    async def aclose(self) -> None:
        await self._verifying.aclose()
        await self._source.aclose()

    def _cloud_now(self) -> datetime:
        return self._skew.cloud_time(self._time.now())

    async def _verify(self) -> None:
        """Find the project; where the settings tell it, only learn whether the keys are good at all."""
        try:
            found = await self._projects()
        except errors.CloudError as error:
            if self.project_id is not None and isinstance(error, errors.Refused) and error.status != _UNAUTHORIZED:
                return  # they may act in the project without the right to list projects
            remedy = "check access key, secret key and security token"
            raise sign_in_error(error, remedy, self._iam_url) from error
        if self.project_id is None:
            self.project_id = self._only(found)

    async def _projects(self) -> list[str]:
        query = (("name", self._region),)
        request = Request("iam", "list_projects", "GET", self._iam_url, "/v3/projects", query=query)
        answer = await self._reader.read(request, _Unscoped(self._source, self._cloud_now, self._skew, self))
        return [project.text("id") for project in Record.parse(answer.body, request.title).records("projects")]

    def _only(self, found: list[str]) -> str:
        if len(found) == 1:
            return found[0]
        what = "no project" if not found else f"{len(found)} projects"
        message = f"IAM lists {what} named {self._region}: set cloud.project_id, or check cloud.region"
        raise errors.AccessRefused(message, status=200)


class _Signature(signing.SignatureAuth):
    """A signature that remembers by which correction of the clock it was made."""

    def __init__(
        self, keys: signing.Keys, at: Callable[[], datetime], project_id: str | None, measured: timedelta | None
    ) -> None:
        super().__init__(keys, at=at, project_id=project_id)
        self.skew = measured or timedelta(0)


class _Unscoped:
    """The session in which the project is still being looked up."""

    def __init__(
        self, source: KeySource, at: Callable[[], datetime], clock_skew: skew.ClockSkew, whole: KeySession
    ) -> None:
        self._source = source
        self._at = at
        self._skew = clock_skew
        self._whole = whole

    async def auth(self) -> httpx.Auth:
        return _Signature(await self._source.keys(), self._at, None, self._skew.value)

    async def renew(self, refused: httpx.Auth) -> bool:
        return await self._whole.renew(refused)


_UNAUTHORIZED = 401


def sign_in_error(error: errors.CloudError, remedy: str, iam_url: str = "") -> errors.CloudError:
    """AccessRefused for a no that stays one, Unavailable for everything that may pass."""
    if isinstance(error, errors.AccessRefused | errors.Unavailable) and error.status != _UNAUTHORIZED:
        return error
    if isinstance(error, errors.NotFound) and iam_url:
        told = f" ({error.code})" if error.code else ""
        message = f"{iam_url} answered {error.status}{told}; is that IAM? check cloud.endpoints.iam; else {remedy}"
        return errors.AccessRefused(message, status=error.status, code=error.code)
    if isinstance(error, errors.Refused) and not isinstance(error, errors.Throttled):
        return errors.AccessRefused(f"{error}; {remedy}", status=error.status, code=error.code)
    return errors.Unavailable(str(error), status=error.status, code=error.code)


def instant(record: Record, name: str) -> datetime:
    """An RFC 3339 instant such as `2024-01-02T03:04:05.000000Z`, aware.

    Raises:
        Unreadable: it is none.
    """
    try:
        read = datetime.fromisoformat(record.text(name))
    except ValueError as error:
        raise record.unreadable(f"{name!r} is not a time") from error
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
