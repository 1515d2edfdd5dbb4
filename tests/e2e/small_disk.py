"""A disk of a few megabytes that a test fills up: a tmpfs in a mount namespace of its own.

Only who enters the namespace sees it mounted. Once the process that holds the namespace has ended (with the test,
however that ends) and the daemons in it, the kernel takes it down.
"""

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import ROOT

SIZE = "8m"

_HOLD = 'mount -t tmpfs -o size="$1",mode=0755 tmpfs "$2" && echo mounted && exec cat'
"""Until its input ends, which it does with the process that started it."""


@dataclass(frozen=True)
class SmallDisk:
    """Mounted at `mount_point` for those who enter, at `here` for everybody else."""

    holder: int  # a process in the namespace
    mount_point: Path

    @property
    def enter(self) -> tuple[str, ...]:
        """Put before a command it runs where the disk is mounted, as the same process."""
        return ("nsenter", f"--mount=/proc/{self.holder}/ns/mnt", f"--wd={ROOT}")

    @property
    def here(self) -> Path:
        """The same folder, from outside."""
        return Path(f"/proc/{self.holder}/root{self.mount_point}")

    def fill(self) -> None:
        """Leave not a page."""
        with (self.here / "filler").open("ab", buffering=0) as filler, contextlib.suppress(_NoRoom):
            while True:
                _write(filler.fileno(), 64 * 1024)

    def full(self) -> bool:
        return os.statvfs(self.here).f_bavail == 0

    def make_room(self) -> None:
        (self.here / "filler").unlink()


class _NoRoom(Exception):
    """Nothing more can be written."""


def _write(file: int, size: int) -> None:
    """So much, or page by page what there is room for."""
    try:
        os.write(file, bytes(size))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        if size == 1:
            raise _NoRoom from error
        _write(file, 1)


@contextlib.contextmanager
def mounted(mount_point: Path) -> Iterator[SmallDisk | None]:
    """Mount it while the block lasts; None where the system does not let us."""
    mount_point.mkdir(parents=True, exist_ok=True)
    command = ["unshare", "--mount", "sh", "-c", _HOLD, "sh", SIZE, str(mount_point)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            there = holder.stdout is not None and holder.stdout.readline() == "mounted\n"
            yield SmallDisk(holder.pid, mount_point) if there else None
        finally:
            holder.kill()
