"""A PostgreSQL server of Debian's packages in a temporary directory, to be stopped, killed and started again."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.e2e import ports

USER, PASSWORD = "autoscaler", "p@ss/w:rd%geheim"
START_SECONDS = 60
STOP_SECONDS = 30


def programs() -> Path | None:
    """Where initdb and postgres are; Debian keeps them out of the path, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _as_postgres() -> dict[str, Any]:
    """The server refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


class Server:
    """One server on a port of its own, with a password; its settings are those of the packages."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self._directory = directory
        self._data = directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._emptied = ""
        self.port = 0
        self._initialise()
        self.start()

    def _initialise(self) -> None:
        secret = self._directory / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(self._directory, "postgres")
            shutil.chown(secret, "postgres")
        command: list[str | Path] = [
            self._programs / "initdb",
            *("--pgdata", self._data, "--username", USER, "--pwfile", secret),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=self._directory, **_as_postgres())

    def start(self) -> None:
        """Start, and wait until it answers; the first time on a port that nobody has."""
        while self._process is None:
            self.port = self.port or ports.consecutive_free_ports(1)
            command: list[str | Path] = [
                self._programs / "postgres",
                *("-D", self._data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self._directory),
            ]
            with (self._directory / "log").open("ab") as log:
                process = subprocess.Popen(
                    command, cwd=self._directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **_as_postgres()
                )
            if self._answers(process):
                self._process = process

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), self.connect():
                return True
            assert time.monotonic() < deadline, (self._directory / "log").read_text()
            time.sleep(0.05)
        assert b"Address already in use" in (self._directory / "log").read_bytes(), "it ended at once"
        return False

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: in order, ending its connections. SIGQUIT: as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def crash(self) -> None:
        """Just after a checkpoint: to come back from all that the tests wrote takes half a minute on a busy disk."""
        with self.connect() as connection:
            connection.execute("CHECKPOINT")
        self.stop(signal.SIGQUIT)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Every process of the server is stopped, as on a machine that hangs; its kernel still answers."""
        assert self._process is not None
        first = self._process.pid  # stopped first and let go last: meanwhile no child that ends loses its number
        os.kill(first, signal.SIGSTOP)
        pids = [*self._children(), first]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def connect(self, database: str = "postgres", **options: Any) -> "psycopg.Connection[Any]":
        """A connection of another program, each statement by itself."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
            **options,
        )

    def new_database(self, *options: str) -> str:
        """The name of an empty one."""
        self._databases += 1
        name = f"test{self._databases}"
        with self.connect() as connection:
            connection.execute(" ".join([f"CREATE DATABASE {name}", *options]).encode())
        return name

    def emptied_database(self) -> str:
        """The name of one that is used again and again: a new one of each store would be gigabytes of files."""
        if not self._emptied:
            self._emptied = self.new_database()
        with self.connect(self._emptied) as connection:
            found = connection.execute(
                "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            ).fetchone()
            if found is not None and found[0] is not None:
                connection.execute(f"TRUNCATE {found[0]} RESTART IDENTITY".encode())
        return self._emptied

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        """As a user writes it into AUTOSCALER_STORE."""
        return f"postgresql+psycopg://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running(programs: Path) -> Iterator[Server]:
    """A server until the end of the block; nothing is left of it."""
    directory = Path(tempfile.mkdtemp(prefix="autoscaler-postgresql-"))
    server = None
    try:
        server = Server(programs, directory)
        yield server
    finally:
        if server is not None:
            server.stop(signal.SIGQUIT)  # in order it would write all databases to the disk first
        shutil.rmtree(directory)
