"""Who may change something: whoever sends the configured token as `Authorization: Bearer …`."""

import hmac
import logging
import math
import time
from collections.abc import Callable

from fastapi import HTTPException, Request
from fastapi.security import HTTPBearer
from pydantic import SecretStr

from autoscaler.web.attempts import Attempts


class TokenRule(HTTPBearer):
    """A FastAPI dependency. Without a configured token every change is refused, whatever is sent."""

    def __init__(self, token: SecretStr | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(scheme_name="token", description="AUTOSCALER_SERVER__TOKEN of the daemon")
        self._token = token.get_secret_value().encode() if token else b""
        self._attempts = Attempts(monotonic)

    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # it only refuses
        """Let the request pass.

        Raises:
            HTTPException: 403 where no token is configured, 401 where another (or none) was sent, 429 where too often.
        """
        if not self._token:
            raise HTTPException(
                403, "This daemon lets nobody change anything: it was started without AUTOSCALER_SERVER__TOKEN."
            )
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not sent.strip():
            raise _refusal(
                "This change needs the daemon's token (AUTOSCALER_SERVER__TOKEN) as 'Authorization: Bearer TOKEN'; "
                "none was sent."
            )
        self._compare(sent.strip(), request.client.host if request.client else "")

    def _compare(self, sent: str, address: str) -> None:
        """Also the right token has to wait where too many wrong ones came: else it could be guessed at any pace."""
        wait = self._attempts.wait(address)
        if wait > 0:
            raise HTTPException(
                429,
                "Too many tokens that are not the daemon's came from this address; "
                f"wait {math.ceil(wait)} s, then send the right one.",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        # The header arrives as latin-1; the comparison takes as long for a near miss as for a far one.
        if not hmac.compare_digest(sent.encode("latin-1"), self._token):
            self._attempts.failed(address)
            logging.getLogger(__name__).warning("a change was refused: a wrong token came from %s", address)
            raise _refusal("The token that was sent is not the daemon's (AUTOSCALER_SERVER__TOKEN).")


def _refusal(words: str) -> HTTPException:
    return HTTPException(401, words, headers={"WWW-Authenticate": "Bearer"})
