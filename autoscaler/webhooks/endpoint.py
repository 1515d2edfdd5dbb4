"""What the daemon says about one receiver: where it is, what to sign with, how long to wait; secrets are not shown."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Endpoint:
    """One webhook."""

    name: str
    url: str = field(repr=False)  # of many receivers the path is a secret
    key: bytes = field(repr=False)  # what is sent is signed with
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    ca_file: str | None = None  # certificates to trust besides the public ones
    connect_seconds: float = 3.0  # real
    seconds: float = 10.0  # real: of connecting, sending and the answer's head, all together
