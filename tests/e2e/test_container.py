"""The image is built from a bare Debian, looked at, and run beside an emulated cloud until it is told to stop."""

import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.buildah import Buildah, debian_base, output_of
from tests.e2e.ports import consecutive_free_ports

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

CHECKOUT = Path(__file__).parents[2]
USER = 10001
GRACE = 30.0  # seconds between SIGTERM and SIGKILL that Kubernetes gives, and the Dockerfile asks Docker for


@pytest.fixture(scope="module")
def buildah(require_tool: Callable[[str], str]) -> Iterator[Buildah]:
    program = require_tool("buildah")
    if os.geteuid() != 0:
        pytest.skip("only root may build an image without user namespaces")
    built = Buildah(program, Path(tempfile.mkdtemp(prefix="autoscaler-image-")))
    yield built
    built.remove()


@pytest.fixture(scope="module")
def image(buildah: Buildah, require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    began = time.monotonic()
    debian_base(buildah, debootstrap=require_tool("debootstrap"), name="localhost/debian-base")
    based = time.monotonic()
    pip_conf = tmp_path_factory.mktemp("pip") / "pip.conf"
    certificates = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile or CERTIFICATES_INSIDE
    pip_conf.write_text(pip_settings_inside(), encoding="utf-8")
    buildah.run(
        *("build", "--format", "docker", "--isolation", "chroot", "--pull-never"),
        *("--build-arg", "BASE_IMAGE=localhost/debian-base", "--tag", "localhost/ddm-autoscaler"),
        *("--volume", f"{certificates}:{CERTIFICATES_INSIDE}:ro", "--volume", f"{pip_conf}:/etc/pip.conf:ro"),
        str(CHECKOUT),
        timeout=400,
    )
    print(  # noqa: T201 - shown by pytest -rP
        f"base image {based - began:.0f} s, build {time.monotonic() - based:.0f} s"
    )
    return "localhost/ddm-autoscaler"


CERTIFICATES_INSIDE = "/etc/ssl/certs/ca-certificates.crt"
FOR_THE_INDEX = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")


def pip_settings_inside() -> str:
    """This machine's way to the package index, as a pip.conf that is mounted for the build and never in the image."""
    listed = output_of([sys.executable, "-m", "pip", "config", "list"], timeout=60)
    settings = dict(line.split("=", 1) for line in listed.splitlines())
    wanted = {key.rpartition(".")[2]: value.strip("'") for key, value in settings.items()}
    kept = [f"{key} = {value}" for key, value in wanted.items() if key in FOR_THE_INDEX]
    return "\n".join(["[global]", f"cert = {CERTIFICATES_INSIDE}", *kept, ""])


def test_the_image_says_how_it_wants_to_be_run(buildah: Buildah, image: str):
    config = buildah.config_of(image)

    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["autoscaler"]
    assert config["Cmd"] == ["run", "--config", "/etc/ddm-autoscaler/autoscaler.yaml"]
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["Volumes"]) == ["/state"]
    assert list(config["ExposedPorts"]) == ["9178/tcp"]
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python3"]


def test_the_image_holds_the_product_and_neither_secrets_nor_tools(buildah: Buildah, image: str):
    with container_of(buildah, image) as container:
        root = Path(buildah.run("mount", container).strip())
        home = root / "opt/ddm-autoscaler"
        site_packages = next(home.glob("lib/python3*/site-packages"))
        config_files = {path.name for path in (root / "etc/ddm-autoscaler").rglob("*")}
        size = sum(path.lstat().st_size for path in home.rglob("*"))

        assert "autoscaler.yaml" in config_files
        assert (site_packages / "autoscaler/__init__.py").is_file()
        assert not [name for name in ("pip", "hatchling", "pytest", "tests") if (site_packages / name).exists()]
        assert not [name for name in ("src", "tests", ".git") if (root / name).exists()]
        assert (root / "state").stat().st_uid == USER
        assert not [path for path in home.rglob("*") if path.lstat().st_uid == USER], "the daemon could rewrite itself"
    settings = buildah.config_of(image)["Env"]
    assert not [name for name in settings if any(word in name.upper() for word in ("PASSWORD", "SECRET_KEY", "TOKEN"))]
    assert "PIP_" not in json.dumps(settings)
    print(f"the product and its packages take {size / 1e6:.0f} MB")  # noqa: T201 - shown by pytest -rP
    assert size < 150e6, "more than a slim image should carry"


def test_the_image_runs_its_command_line_without_the_checkout(buildah: Buildah, image: str):
    with container_of(buildah, image) as container:
        assert "run" in buildah.run("run", container, "--", *buildah.config_of(image)["Entrypoint"], "--help")


@dataclass(frozen=True)
class Daemon:
    """A running container: its `buildah run`, the daemon's own process inside it, and where it answers."""

    runner: subprocess.Popen[bytes]
    pid: int
    address: str
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Status (0 while nothing listens) and body."""
        with suppress(OSError):
            try:
                with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, refused.read().decode()
        return 0, ""


def test_the_container_becomes_ready_is_healthy_and_stops_in_time_with_its_state_kept(
    buildah: Buildah, image: str, tmp_path: Path
):
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, USER, USER)
    with (
        emulated_cloud(tmp_path) as (config, credentials),
        container_of(buildah, image) as container,
        running(buildah, image, container, state=state, config=config, credentials=credentials) as daemon,
    ):
        until(lambda: daemon.get("/-/ready")[0] == 200, "the daemon is ready", daemon)
        healthcheck = buildah.config_of(image)["Healthcheck"]["Test"][1:]
        listen = f"AUTOSCALER_SERVER__LISTEN={daemon.address}"
        buildah.run("run", "--env", listen, container, "--", *healthcheck)
        with pytest.raises(AssertionError, match="refused"):
            buildah.run("run", "--env", "AUTOSCALER_SERVER__LISTEN=127.0.0.1:1", container, "--", *healthcheck)
        status, metrics = daemon.get("/metrics")
        assert (status, "autoscaler_build_info" in metrics) == (200, True)

        os.kill(daemon.pid, signal.SIGTERM)
        assert daemon.runner.wait(timeout=GRACE) == 0, daemon.log.read_text()
        root = Path(buildah.run("mount", container).strip())
        written = [path for path in root.rglob("*") if path.lstat().st_uid == USER and path != root / "state"]

    assert (state / "autoscaler.db").stat().st_uid == USER
    assert written == [], "the root file system could not be read-only"


@contextmanager
def container_of(buildah: Buildah, image: str) -> Iterator[str]:
    container = buildah.run("from", "--pull-never", image).strip()
    try:
        yield container
    finally:
        buildah.run("rm", container)


@contextmanager
def emulated_cloud(directory: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """An emulator on loopback; the folder of a configuration that points at it, and the credentials it takes."""
    command = [sys.executable, "-m", "autoscaler", "emulator", "--port", str(consecutive_free_ports(4))]
    output_of([*command, "--write-config", str(directory / "cloud")], timeout=60)
    config = next((directory / "cloud").rglob("autoscaler.yaml")).parent
    lines = next((directory / "cloud").rglob("emulator.env")).read_text(encoding="utf-8").splitlines()
    readable_by_the_container(config)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as emulator:
        try:
            assert emulator.stdout is not None
            assert emulator.stdout.readline().startswith(b"{"), "the emulator did not say where it listens"
            yield config, dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        finally:
            emulator.terminate()


def readable_by_the_container(directory: Path) -> None:
    """The container's user is not root: pytest's own folders are closed to it."""
    for path in [directory, *directory.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


@contextmanager
def running(  # each is something that the operator mounts or sets
    buildah: Buildah, image: str, container: str, *, state: Path, config: Path, credentials: dict[str, str]
) -> Iterator[Daemon]:
    address = f"127.0.0.1:{consecutive_free_ports(1)}"
    environment = credentials | {"AUTOSCALER_SERVER__LISTEN": address}
    ours = buildah.config_of(image)
    command = buildah.command(
        *("run", "--isolation", "chroot", "--volume", f"{state}:/state"),
        *("--volume", f"{config}:/etc/ddm-autoscaler:ro"),
        *(word for name, value in environment.items() for word in ("--env", f"{name}={value}")),
        *(container, "--", *ours["Entrypoint"], *ours["Cmd"]),
    )
    log = state.parent / "daemon.log"
    with log.open("wb") as sink, subprocess.Popen(command, stdout=sink, stderr=sink, env=buildah.environment) as runner:
        pid = 0
        try:
            pid = process_of_the_daemon(runner, ours["Cmd"], log)
            yield Daemon(runner, pid, address, log)
        finally:
            if runner.poll() is None:
                os.kill(pid or runner.pid, signal.SIGKILL)


def process_of_the_daemon(runner: subprocess.Popen[bytes], words: list[str], log: Path) -> int:
    """The daemon's own pid: between it and `buildah run` are helpers, of which the last has its user and words too."""
    ending = b"".join(word.encode() + b"\0" for word in words)
    deadline = time.monotonic() + 30
    while True:
        with suppress(FileNotFoundError, ProcessLookupError):  # helpers come and go while we look
            for pid in descendants(runner.pid):
                process = Path(f"/proc/{pid}")
                command_line = (process / "cmdline").read_bytes()
                helper = command_line.startswith(b"buildah")
                if not helper and command_line.endswith(ending) and process.stat().st_uid == USER:
                    return pid
        assert runner.poll() is None, f"the container ended: {log.read_text()}"
        assert time.monotonic() < deadline, f"nothing was started: {log.read_text()}"
        time.sleep(0.05)


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def until(holds: Callable[[], bool], what: str, daemon: Daemon, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert daemon.runner.poll() is None, f"the container ended before {what}: {daemon.log.read_text()}"
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}: {daemon.log.read_text()}"
        time.sleep(0.1)
