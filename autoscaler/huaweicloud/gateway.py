"""Authorised calls to the services of one project: the only thing that the adapters of the services talk to."""

import re
from collections.abc import Mapping
from typing import Any

from autoscaler import errors, ports
from autoscaler.huaweicloud import endpoints, iam, mutations, reads
from autoscaler.huaweicloud.records import Record
from autoscaler.huaweicloud.wire import Answer, Query, Request

PAGE = 128
"""The largest page of every DDM list; the default is 10 for most, so `limit` is always sent."""

_MOST_PAGES = 1000
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Gateway:
    """Fills in endpoint, project and credentials."""

    def __init__(
        self,
        services: endpoints.Services,
        *,
        session: iam.Session,
        reader: reads.Reader,
        sender: mutations.Sender,
    ) -> None:
        self.session = session
        self._urls = {"ddm": services.ddm, "cloud_eye": services.cloud_eye, "rds": services.rds}
        self._reader = reader
        self._sender = sender

    async def project(self) -> str:
        """The project's id, signing in where it is not known yet."""
        if self.session.project_id is None:
            await self.session.sign_in()
        if self.session.project_id is None:
            raise errors.Unavailable("IAM signed us in without naming a project: set cloud.project_id")
        return self.session.project_id

    async def get(self, service: str, operation: str, path: str, query: Query = ()) -> Record:
        """Read an object; `{project}` in the path is filled in.

        Raises:
            CloudError: Throttled, Unavailable, Unreadable, AccessRefused, NotFound or Refused.
        """
        request = await self._request(service, operation, "GET", path, query=query)
        answer = await self._reader.read(request, self.session)
        return Record.parse(answer.body, request.title)

    async def query(self, service: str, operation: str, path: str, body: Mapping[str, Any]) -> Answer:
        """Read by a POST that changes nothing. Raises as `get`."""
        request = await self._request(service, operation, "POST", path, body=body)
        return await self._reader.read(request, self.session)

    async def pages(
        self, service: str, operation: str, path: str, *, items: str, total: str = "total", query: Query = ()
    ) -> list[Record]:
        """All records of a list, page by page.

        Raises:
            Unreadable: a page is short, or the total changes meanwhile: there is no partial answer.
        """
        found: list[Record] = []
        expected: int | None = None
        for _ in range(_MOST_PAGES):
            paging = (("offset", str(len(found))), ("limit", str(PAGE)))
            page = await self.get(service, operation, path, (*query, *paging))
            records, said = page.records(items), page.whole(total)
            found += records
            if expected is not None and said != expected:
                raise page.unreadable(f"the total changed from {expected} to {said} between pages")
            expected = said
            if len(found) == expected:
                return found
            if len(records) < PAGE or len(found) > expected:
                raise page.unreadable(f"{len(found)} of {expected} came")
        raise errors.Unreadable(f"{operation}: more than {_MOST_PAGES} pages")

    async def change(
        self, operation: str, path: str, body: Mapping[str, Any], before_send: ports.BeforeSend
    ) -> ports.Accepted:
        """Send a DDM mutation once.

        Raises:
            Unsent, Refused (and its kinds): surely nothing changed.
            Ambiguous: every other end.
        """
        try:
            request = await self._request("ddm", operation, "POST", path, body=body)
        except errors.CloudError as error:
            raise errors.Unsent(f"DDM {operation} was not sent: {error}") from error
        return await self._sender.send(request, self.session, before_send)

    async def _request(
        self,
        service: str,
        operation: str,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
    ) -> Request:
        filled = path.replace("{project}", await self.project())
        return Request(service, operation, method, self._urls[service], filled, query=query, body=body)


def identifier(text: str, what: str) -> str:
    """An id that may stand in a path.

    Raises:
        NotFound: it cannot be an id of the cloud.
    """
    if not _ID.fullmatch(text) or set(text) <= {"."}:
        raise errors.NotFound(f"{text!r} is not the id of a {what}: use letters, digits, `_`, `-` and `.`")
    return text
