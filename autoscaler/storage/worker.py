"""One thread for a store's transactions, one after the other: a slow database must not stop the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from autoscaler.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")


class OneThread:
    """Runs work in the order in which it comes.

    Who is cancelled, or waited `patience` seconds in vain, does not know whether the work was done: begun it goes on,
    and what comes after it waits for its end; not begun it never is.
    """

    def __init__(self, name: str, patience: float) -> None:
        self._name = name
        self._patience = patience
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._closed = False

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises; StoreError where that takes too long."""
        self._ensure_open()
        done = asyncio.get_running_loop().run_in_executor(self._executor, partial(self._do, work, *args, **kwargs))
        try:
            async with asyncio.timeout(self._patience) as waiting:
                return await done
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise StoreError(
                f"{self._name}: no answer for {self._patience:g} s; see to the database; then it goes on by itself"
            ) from error

    def close(self) -> None:
        """Wait for what is under way; what was not begun never is."""
        self._closed = True
        self._executor.shutdown(wait=True)

    def _do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._ensure_open()  # its turn may have come after the end
        return work(*args, **kwargs)

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._name}: the store is closed")
