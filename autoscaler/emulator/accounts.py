"""Who may call: tokens and temporary keys that end, and the permanent key."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoscaler.emulator import scenario


@dataclass(frozen=True)
class Pass:
    """A credential that was given out: a token, or (with its key pair) a security token."""

    text: str
    issued_at: datetime
    expires_at: datetime
    generation: int  # how many revocations there had been
    project_id: str | None = None  # None: good for IAM only
    access: str = ""
    secret: str = ""


@dataclass
class Accounts:
    """What was given out, and how to look it up again. Tokens are worth something until a revocation or their end."""

    settings: scenario.Scenario
    tokens: dict[str, Pass] = field(default_factory=dict)
    keys: dict[str, Pass] = field(default_factory=dict)

    def knows_password(self, name: str, password: str, domain: str) -> bool:
        """Whether that is the user."""
        user = self.settings.user
        return (name, domain) == (user.name, user.domain) and secrets.compare_digest(password, user.password)

    def sign_in(self, now: datetime, *, project_id: str | None, generation: int) -> Pass:
        """Give out a token."""
        text = "MIIEmulated" + self._random("token", len(self.tokens)) * 3
        token = Pass(text, now, now + self.settings.token_life, generation, project_id)
        self.tokens[text] = token
        return token

    def temporary_key(self, now: datetime, *, life: timedelta | None = None, generation: int) -> Pass:
        """Give out a temporary key pair with its security token."""
        number = len(self.keys)
        ends = now + (life or self.settings.temporary_key_life)
        access = "TEMP" + self._random("access", number)[:16].upper()
        key = Pass(
            "SEC" + self._random("security", number) * 2,
            now,
            ends,
            generation,
            access=access,
            secret=self._random("secret", number),
        )
        self.keys[access] = key
        return key

    def secret_of(self, access: str, security_token: str | None, now: datetime, generation: int) -> str | None:
        """The secret key that signs for this access key now, or None."""
        permanent = self.settings.access_key
        if access == permanent.access:
            return permanent.secret
        key = self.keys.get(access)
        if key is None or key.text != security_token or not _good(key, now, generation):
            return None
        return key.secret

    def token(self, text: str, now: datetime, generation: int) -> Pass | None:
        """The token, if it is one and has neither ended nor been revoked."""
        token = self.tokens.get(text)
        return token if token is not None and _good(token, now, generation) else None

    def _random(self, kind: str, number: int) -> str:
        """Forty characters that depend on the seed alone."""
        return hashlib.sha256(f"{self.settings.seed}/{kind}/{number}".encode()).hexdigest()[:40]


def _good(credential: Pass, now: datetime, generation: int) -> bool:
    return now < credential.expires_at and credential.generation == generation
