"""One process per database file: a lock on a file beside it, which the kernel releases when the process dies."""

import errno
import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import StoreError
from autoscaler.storage import faults


@dataclass(frozen=True)
class FileLock:
    """A lock that is held until `release`, or the end of the process."""

    descriptor: int

    def release(self) -> None:
        """Give it up. The file stays: to delete it would let a third process lock another one of that name."""
        os.close(self.descriptor)


def acquire(database: Path) -> FileLock:
    """Lock `<database>.lock`, at once or not at all.

    Raises:
        StoreError: another process holds it (the text names that process), or the file cannot be made.
    """
    path = database.with_name(database.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise faults.of_system(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_holder(descriptor)
    except OSError as error:
        refusal = _refusal(database, path, descriptor, error)
        os.close(descriptor)
        raise refusal from error
    return FileLock(descriptor)


def _write_holder(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)


def _refusal(database: Path, path: Path, descriptor: int, error: OSError) -> StoreError:
    if error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN}:
        return faults.of_system(path, error)
    pid, _, host = os.pread(descriptor, 300, 0).decode(errors="replace").strip().partition(" ")
    holder = f"process {pid} on {host}" if pid and host else "another process"
    return StoreError(f"{database}: in use by {holder}; stop that daemon, or give this one a `store` of its own")
