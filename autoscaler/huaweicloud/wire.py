"""One call as values: what is asked of which service, and what came back, before anybody judges it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from autoscaler.huaweicloud import signing

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """One call; `service` and `operation` are what metrics and messages call it."""

    service: str  # iam | ddm | cloud_eye | rds
    operation: str  # e.g. show_instance
    method: str
    base_url: str
    path: str  # decoded; starts with a slash
    query: Query = ()
    body: Mapping[str, Any] | None = field(default=None, repr=False)  # a sign-in holds a password
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # besides those of every call
    secrets: tuple[str, ...] = field(default=(), repr=False)  # in the body; no message may repeat them

    @property
    def url(self) -> str:
        """Escaped here, and so thoroughly that httpx leaves it as it is: what is signed is what is sent."""
        target = quote(self.path, safe="/~")
        query = signing.canonical_query(self.query)
        return f"{self.base_url}{target}?{query}" if query else f"{self.base_url}{target}"

    @property
    def content(self) -> bytes:
        """The body as it is sent and signed."""
        return b"" if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()

    @property
    def title(self) -> str:
        """What a message calls it."""
        return f"{_NAMES.get(self.service, self.service)} {self.operation}"


@dataclass(frozen=True)
class Answer:
    """A whole answer of any status. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # may hold a token
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """2xx: every documented success code, and those that editions of the documents disagree on."""
        return 200 <= self.status <= 299  # noqa: PLR2004 - the class of status codes


_NAMES = {"iam": "IAM", "ddm": "DDM", "cloud_eye": "Cloud Eye", "rds": "RDS"}
