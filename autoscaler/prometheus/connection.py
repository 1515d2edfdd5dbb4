"""What the daemon says about one server: where it is, who we are to it, how long to wait. Secrets are not printed."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timeouts:
    """Real seconds."""

    connect: float = 3.0
    one_try: float = 10.0  # of connecting, asking and reading the whole answer
    altogether: float = 15.0  # of all queries of a cycle with their retries; the others of the cycle wait for them


@dataclass(frozen=True)
class Retries:
    """How a query that failed for a passing reason is tried again; real seconds."""

    tries: int = 3
    first_wait: float = 0.25  # doubled each time, and shortened at random (full jitter)
    longest_retry_after: float = 5.0  # a server that asks for more gets no second try now


@dataclass(frozen=True)
class Connection:
    """Everything needed to ask one server: with a token, with a name and a password, or without either."""

    name: str  # as policies name the source
    url: str  # without a slash at the end; may have a path, as behind a reverse proxy
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    ca_file: str | None = None  # certificates to trust besides the public ones
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
