"""What `autoscaler emulator` does: serve until a signal, or write a configuration and leave."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from autoscaler import clock, errors
from autoscaler.emulator import config_files, scenario, server


def run(
    *,
    scenario_file: Path | None = None,
    port: int = 9000,
    seed: int | None = None,
    speed: float = 1.0,
    write_config: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve on `port` and the three after it (0: four free ones) until SIGTERM or SIGINT.

    When it is ready it says one line of JSON: the addresses, and the clock as `AUTOSCALER_CLOCK` wants it. With
    `write_config` it writes a configuration for these ports there instead, says the paths, and returns.

    Raises:
        errors.BadConfig: the scenario or the clock.
        errors.ListenError: a port is taken.
        errors.StoreError: the configuration cannot be written.
    """
    wanted = scenario.read(scenario_file) if scenario_file else scenario.Scenario()
    if seed is not None:
        wanted = wanted.model_copy(update={"seed": seed})
    ports = _ports(port)
    if write_config is not None:
        _write(write_config, wanted, ports, say)
        return
    asyncio.run(_serve(wanted, _clock(speed), ports, say))


async def _serve(
    wanted: scenario.Scenario,
    its_clock: clock.SystemClock,
    ports: tuple[int, int, int, int],
    say: Callable[[str], None],
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with server.Emulator(wanted, its_clock, ports) as emulator:
        say(json.dumps(vars(emulator.addresses) | {"clock": str(its_clock)}))
        await stop.wait()


def _write(
    directory: Path, wanted: scenario.Scenario, ports: tuple[int, int, int, int], say: Callable[[str], None]
) -> None:
    if 0 in ports:
        problem = errors.Problem("--write-config", 0, 0, "--port", "0 is no address to write down; choose a port")
        raise errors.BadConfig([problem])
    addresses = server.Addresses(*(f"http://127.0.0.1:{port}" for port in ports))
    try:
        written = config_files.write(directory, wanted, addresses)
    except OSError as error:
        raise errors.StoreError(f"{directory} cannot be written: {error.strerror}") from error
    for path in written:
        say(str(path))


def _ports(port: int) -> tuple[int, int, int, int]:
    return (port, port + 1, port + 2, port + 3) if port else (0, 0, 0, 0)


def _clock(speed: float) -> clock.SystemClock:
    """The one of the environment where it is set, so that two processes share it; else one that starts now."""
    return clock.from_environment(os.environ, clock.SystemClock(datetime.now(UTC), speed))
