"""Whether files read otherwise than before: by their content, read again only where something about them changed.

Links are followed, so that a Kubernetes ConfigMap, whose `..data` link is replaced, is seen to change at once.
"""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SETTLED = 2.0
"""Seconds after its last change from which a file's times tell a further one: as coarsely some file systems count."""


@dataclass(frozen=True)
class _Read:
    """What a file looked like when its content was read."""

    looks: tuple[int, ...]
    settled: bool
    digest: str


class Fingerprints:
    """Remembers what each file looked like."""

    def __init__(self) -> None:
        self._read: dict[Path, _Read] = {}

    def of(self, paths: Iterable[Path]) -> str:
        """One word for the content of these files, and for which of them there are."""
        self._read = {path: self._of(path) for path in paths}
        whole = hashlib.sha256()
        for path, read in self._read.items():
            whole.update(f"{path}\0{read.digest}\0".encode())
        return whole.hexdigest()

    def _of(self, path: Path) -> _Read:
        try:
            found = path.stat()
            looks = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._read.get(path)
            if known is not None and known.settled and known.looks == looks:
                return known
            settled = time.time() - max(found.st_mtime, found.st_ctime) > SETTLED
            return _Read(looks, settled, hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError as error:  # not there, or not to be read: so it is said by whoever loads it
            return _Read((), settled=False, digest=f"unreadable: {error.errno}")
