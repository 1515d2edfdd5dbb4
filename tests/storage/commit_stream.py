"""A process that opens a store and commits without end, saying each change once it is durable; made to be killed.

For each line `hold FILE` or `stream FILE` on standard input it forks a child that does it; so the imports are paid for
once. It says `pid N` for a child, then the child's own lines, then `gone`.
"""

import asyncio
import os
import sys
import time

from autoscaler.core.operation import State
from autoscaler.core.target import InstanceKey
from autoscaler.storage import sqlite
from autoscaler.storage.database import DatabaseStore
from tests.storage import samples


def say(line: str) -> None:
    """One write, so that a line is whole or not there."""
    os.write(1, f"{line}\n".encode())


async def stream(store: DatabaseStore) -> None:
    """Intent, rejection, records, over and over, each on an instance of its own."""
    for number in range(1_000_000):
        identity = f"{os.getpid()}-{number}"
        planned = samples.operation(identity, instance=InstanceKey("eu-de", "p1", identity))
        await store.commit_intent(planned, samples.decision(target=identity))
        say(f"{identity} planned")
        await store.update(planned.step(State.REJECTED, at=samples.NOW), was=planned)
        say(f"{identity} rejected")
        await store.record([samples.decision(target=identity)] * 10)
        say(f"{identity} recorded")


def work(task: str, file: str) -> None:
    """What a child does until it is killed."""
    store = sqlite.open_store(f"sqlite:///{file}")
    say("open")
    if task == "stream":
        asyncio.run(stream(store))
    time.sleep(600)


def main() -> None:
    """A child for each line."""
    for line in sys.stdin:
        task, _, file = line.strip().partition(" ")
        child = os.fork()
        if child == 0:
            say(f"pid {os.getpid()}")
            try:
                work(task, file)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
