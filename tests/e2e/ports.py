"""Free ports on loopback for processes that are told their addresses before they start."""

import os
import random
import socket
from contextlib import ExitStack

BELOW_EPHEMERAL = range(10_000, 32_000)
"""Where the system takes no port for an outgoing connection or a listener on port 0: other tests run at the same time.
"""


def consecutive_free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody holds now."""
    chance = random.Random(os.urandom(8))  # noqa: S311  # ports, no secrets
    for _ in range(100):
        first = chance.choice(BELOW_EPHEMERAL[:-count])
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue  # one of them is taken
            return first
    raise AssertionError(f"no {count} free ports in a row in 100 tries")
