"""Free ports on loopback for processes that are told their addresses before they start."""

import socket
from contextlib import ExitStack


def consecutive_free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody holds now (another process may still be quicker)."""
    for _ in range(100):
        with ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            try:
                for port in range(first + 1, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue  # a neighbour is taken, or the row ends at 65535
            return int(first)
    raise AssertionError(f"no {count} free ports in a row in 100 tries")
