"""How often an address may try a token that is not the daemon's: ten times, and then once in six seconds.

A token that can be guessed at that pace is too short. Addresses are remembered in a table that does not grow: the one
that failed longest ago is forgotten first, and is by then mostly allowed all its attempts again.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

ATTEMPTS = 10
"""At once; somebody who mistypes needs fewer."""

SECONDS_EACH = 6.0
"""Real seconds until there is one more."""

ADDRESSES = 1000
"""Remembered at most."""


@dataclass(frozen=True)
class _Left:
    attempts: float
    at: float  # monotonic seconds


class Attempts:
    """Counts failures by address; `monotonic` gives real seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._left: OrderedDict[str, _Left] = OrderedDict()

    def wait(self, address: str) -> float:
        """Real seconds until the address may try again; 0 where it may now."""
        missing = 1 - self._now(_network(address))
        return max(0.0, missing) * SECONDS_EACH

    def failed(self, address: str) -> None:
        """One more attempt was a failure."""
        network = _network(address)
        self._left[network] = _Left(self._now(network) - 1, self._monotonic())
        self._left.move_to_end(network)
        while len(self._left) > ADDRESSES:
            self._left.popitem(last=False)

    def _now(self, network: str) -> float:
        last = self._left.get(network)
        if last is None:
            return ATTEMPTS
        return min(ATTEMPTS, last.attempts + (self._monotonic() - last.at) / SECONDS_EACH)


def _network(address: str) -> str:
    """The address; of IPv6 the /64, all of which one machine may have."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
