"""`autoscaler demo`: an emulated cloud and the daemon in one process, on a recorded day of load, many times as fast.

Everything between the two is real: HTTP on loopback, sign-in, jobs that take time, metrics that come late.
"""

import asyncio
import contextlib
import json
import secrets
import signal
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from autoscaler import clock, daemon, errors
from autoscaler.cli import demo_day, demo_show
from autoscaler.cli.form import Format
from autoscaler.emulator import scenario, server
from autoscaler.huaweicloud import connection
from autoscaler.telemetry import logs

DEFAULT_SPEED = 1200.0
"""Eighteen hours, from before the rise until after the fall, in less than a minute."""

HOST, PREFERRED_PORT = "127.0.0.1", 9178


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("demo")(demo)


def demo(
    trace: Annotated[
        str, typer.Option("--trace", help="A trace that ships with the program, or a FILE.csv of timestamp,value.")
    ] = demo_day.DEFAULT_TRACE,
    speed: Annotated[float, typer.Option("--speed", min=1, help="How many times as fast as real.")] = DEFAULT_SPEED,
    seconds: Annotated[float | None, typer.Option("--seconds", min=1, help="Stop after so many real seconds.")] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", help="HOST:PORT of the dashboard [default: 127.0.0.1:9178, else a free one]."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How the summary is printed.")] = Format.TEXT,
) -> None:
    """Watch a group being scaled out and in: no account, no configuration, no network beyond loopback.

    An emulated cloud and the daemon run in this process, on a recorded day of load, many times as fast as real.
    """
    logs.configure(level="error", style="text")
    day = demo_day.day_of(trace)
    with tempfile.TemporaryDirectory(prefix="autoscaler-demo-") as folder:
        summary = asyncio.run(
            _play(_Stage(day, speed, seconds, _address(listen), Path(folder), secrets.token_urlsafe(6)))
        )
    sys.stdout.write(json.dumps(summary) + "\n" if form is Format.JSON else demo_show.as_text(summary))


@dataclass(frozen=True)
class _Stage:
    """What one demo is played with."""

    load: scenario.Load
    speed: float
    seconds: float | None  # real ones; None: until a signal
    address: tuple[str, int] | None  # None: the preferred port, or a free one
    folder: Path  # for the store; gone afterwards
    token: str  # for the dashboard, of this demo alone


async def _play(stage: _Stage) -> dict[str, Any]:
    """Start both, show what happens, stop both; the summary."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    its_clock = clock.SystemClock(datetime.now(UTC), stage.speed)
    wanted = scenario.Scenario(load=stage.load)
    async with server.Emulator(wanted, its_clock) as emulator:
        playing = _daemon(stage, wanted, emulator.addresses, its_clock)
        _announce(playing.web.url, emulator.addresses.iam, stage.token, _clocks(stage, its_clock.now()))
        if stage.address is None and not playing.web.url.endswith(f":{PREFERRED_PORT}"):
            sys.stderr.write(f"Port {PREFERRED_PORT} is taken: the dashboard has another; --listen names one.\n")
        if stage.seconds is not None:
            loop.call_later(stage.seconds, stop.set)
        return await _shown(playing, stage, its_clock, stop)


async def _shown(playing: daemon.Daemon, stage: _Stage, its_clock: clock.Clock, stop: asyncio.Event) -> dict[str, Any]:
    """Run the daemon to its end beside the show."""
    begun = its_clock.now()
    show = demo_show.Show(playing.console, its_clock, stage.load.begin or begun, begun, demo_day.TARGET)
    following = asyncio.create_task(show.follow(), name="demo show")
    summary: dict[str, Any] = {}

    def at_the_end() -> None:
        show.tell()
        show.close()
        summary.update(show.summary(f"{playing.web.url}/metrics"))

    def give_up(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            stop.set()

    following.add_done_callback(give_up)
    await playing.run(stop, before_close=at_the_end)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    return summary


def _daemon(
    stage: _Stage, wanted: scenario.Scenario, addresses: server.Addresses, its_clock: clock.Clock
) -> daemon.Daemon:
    user = wanted.user
    host, port = stage.address or (HOST, PREFERRED_PORT)
    setup = daemon.Setup(
        connection=connection.Connection(
            region=wanted.region,
            credentials=connection.Password(user.name, user.password, user.domain),
            dialect=connection.Dialect(wanted.dialect),
            project_id=wanted.project.id,
            endpoints=connection.Endpoints(**vars(addresses)),
        ),
        policies=(demo_day.policy_of(wanted),),
        store=f"sqlite:///{stage.folder}/demo.db",
        host=host,
        port=port,
        token=SecretStr(stage.token),
        shown={"demo": "an emulated cloud on loopback"},
    )
    try:
        return daemon.Daemon(setup, its_clock)
    except errors.ListenError:
        if stage.address is not None:
            raise
        return daemon.Daemon(replace(setup, port=0), its_clock)


def _clocks(stage: _Stage, begun: datetime) -> str:
    """The two clocks that a visitor sees, side by side."""
    day = stage.load.begin or begun
    return (
        f"Times here are those of the recorded day: {day:%a %H:%M} is {begun:%H:%M:%S} UTC on the page and in the API, "
        f"and both go {stage.speed:g} times as fast as yours."
    )


def _announce(url: str, emulator: str, token: str, clocks: str) -> None:
    sys.stderr.write(f"dashboard  {url}/\nmetrics    {url}/metrics\nemulator   {emulator}/_emulator/state\n")
    sys.stderr.write(f"token      {token} (with it the dashboard lets you pause, override and resume)\n")
    sys.stderr.write(f"{clocks}\nPress Ctrl-C to stop.\n")
    sys.stderr.flush()


def _address(listen: str | None) -> tuple[str, int] | None:
    if listen is None:
        return None
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise errors.BadConfig([errors.Problem("--listen", 0, 0, "", f"{listen!r} is not HOST:PORT")])
    return host.strip("[]"), int(port)
