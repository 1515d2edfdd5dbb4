"""Asks a running daemon over its HTTP API; every way in which that can fail is one sentence."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from autoscaler.errors import AutoscalerError, BadConfig, Problem

SECONDS = 30.0
"""A resolve looks at the cloud first."""


class DaemonError(AutoscalerError):
    """The daemon cannot be reached, or refused what was asked."""


@dataclass(frozen=True)
class DaemonApi:
    """The API of the daemon at `url`; `token` only for what changes something."""

    url: str
    token: str = ""

    def get(self, *path: str, **query: str | int | None) -> dict[str, Any]:
        """Ask.

        Raises:
            DaemonError: there is no answer, or it is a refusal.
        """
        return self._answer("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, *path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have something changed; raises as `get`."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self._answer("POST", path, json=body, headers=headers)

    def _answer(self, method: str, path: tuple[str, ...], **more: Any) -> dict[str, Any]:
        address = "/".join([f"{self.url.rstrip('/')}/api/v1", *(quote(part, safe="") for part in path)])
        try:
            near = httpx.URL(address).host in ("127.0.0.1", "::1", "localhost")  # no proxy knows our loopback
            answer = httpx.request(method, address, timeout=SECONDS, trust_env=not near, **more)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadConfig([Problem("--url", 0, 0, "", f"{self.url!r} is no http:// address ({error})")]) from error
        except httpx.TimeoutException as error:
            raise DaemonError(f"the daemon at {self.url} did not answer within {SECONDS:g} s") from error
        except httpx.HTTPError as error:
            raise DaemonError(
                f"no daemon can be reached at {self.url} ({error}); name it by --url or AUTOSCALER_URL"
            ) from error
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            body = None
        if not isinstance(body, dict) or (not answer.is_success and "error" not in body):
            raise DaemonError(f"what answers at {self.url} is not this daemon's API (HTTP {answer.status_code})")
        if not answer.is_success:
            raise DaemonError(str(body["error"]))
        return body
