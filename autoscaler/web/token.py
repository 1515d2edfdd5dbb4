"""Who may change something: whoever sends the configured token as `Authorization: Bearer …`."""

import hmac

from fastapi import HTTPException, Request
from pydantic import SecretStr


class TokenRule:
    """A FastAPI dependency. Without a configured token every change is refused, whatever is sent."""

    def __init__(self, token: SecretStr | None) -> None:
        self._token = token.get_secret_value().encode() if token else b""

    async def __call__(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            HTTPException: 403 where no token is configured, 401 where another (or none) was sent.
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
        # The header arrives as latin-1; the comparison takes as long for a near miss as for a far one.
        if not hmac.compare_digest(sent.strip().encode("latin-1"), self._token):
            raise _refusal("The token that was sent is not the daemon's (AUTOSCALER_SERVER__TOKEN).")


def _refusal(words: str) -> HTTPException:
    return HTTPException(401, words, headers={"WWW-Authenticate": "Bearer"})
