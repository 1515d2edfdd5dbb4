"""The watch: a change is obeyed once it has been the same for two looks, and once."""

import asyncio
from collections.abc import Iterator

import pytest

from autoscaler.control.watching import Watch
from tests.fakes import FakeClock, RecordingMonitor

LOOKS = {
    "nothing changes": ("aaaa", []),
    "a change": ("abbb", ["b"]),
    "several files are written one after the other": ("abcddd", ["d"]),
    "a change that is taken back": ("abaa", []),
    "a change back to what was before": ("abbbaaa", ["b", "a"]),
    "two changes": ("abbbcc", ["b", "c"]),
}


async def watched(looks: Iterator[object], monitor: RecordingMonitor) -> list[str]:
    """What was read at each reload."""
    state = {"now": "a", "known": "a"}
    read: list[str] = []

    def fingerprint() -> str:
        look = next(looks, None)
        if look is None:
            raise asyncio.CancelledError
        if isinstance(look, Exception):
            raise look
        state["now"] = str(look)
        return state["now"]

    async def reload() -> None:
        state["known"] = state["now"]
        read.append(state["now"])

    watch = Watch(
        fingerprint=fingerprint, known=lambda: state["known"], reload=reload, clock=FakeClock(), monitor=monitor
    )
    with pytest.raises(asyncio.CancelledError):
        await watch.run()
    return read


@pytest.mark.parametrize(("looks", "read"), LOOKS.values(), ids=LOOKS)
async def test_a_change_is_obeyed_once_it_has_been_the_same_for_two_looks(looks, read):
    assert await watched(iter(looks), RecordingMonitor()) == read


async def test_a_look_that_fails_is_told_and_the_next_one_looks():
    monitor = RecordingMonitor()
    assert await watched(iter(["a", OSError("disk"), "b", "b"]), monitor) == ["b"]
    assert monitor.said("could not be watched") == 1
