"""A `buildah` with a storage of its own, and a Debian base image for it: a test leaves nothing on the machine."""

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BASE_PACKAGES = "python3,python3-venv,ca-certificates"

# Package lists, manuals and translations: two thirds of the image, and vfs copies all of it for every container.
BALLAST = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")


@dataclass(frozen=True)
class Buildah:
    """Runs `buildah` without a daemon, a registry or the machine's own image store."""

    program: str
    storage: Path

    @property
    def _front(self) -> list[str]:
        root, runroot = self.storage / "root", self.storage / "runroot"
        return [self.program, "--root", str(root), "--runroot", str(runroot), "--storage-driver", "vfs"]

    def command(self, *arguments: str) -> list[str]:
        """The whole command line of `buildah ARGUMENTS`."""
        return [*self._front, *arguments]

    def run(self, *arguments: str, timeout: float = 240) -> str:
        """Standard output; a failure raises with what was printed on standard error."""
        return output_of(self.command(*arguments), timeout=timeout, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Large temporary files go beside the storage, not to /var/tmp; no namespaces are asked for."""
        return os.environ | {"TMPDIR": str(self.storage), "BUILDAH_ISOLATION": "chroot"}

    def config_of(self, image: str) -> dict[str, Any]:
        """The Docker configuration of an image: `User`, `Entrypoint`, `Cmd`, `Healthcheck`, `Volumes`, `Env`…"""
        inspected: dict[str, Any] = json.loads(self.run("inspect", "--type", "image", image))
        config: dict[str, Any] = inspected["Docker"]["config"]
        return config

    def remove(self) -> None:
        """Containers first: the storage's directories are only plain files once none is mounted."""
        self.run("rm", "--all")
        shutil.rmtree(self.storage)


def output_of(command: list[str], *, timeout: float, env: dict[str, str] | None = None) -> str:
    """Standard output of a command; a failure shows the end of both outputs."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def debian_base(buildah: Buildah, *, debootstrap: str, name: str) -> None:
    """Make a Debian bookworm with only Python in it and store it as the image `name`."""
    container = buildah.run("from", "--name", "debian-base", "scratch").strip()
    root = Path(buildah.run("mount", container).strip())
    options = ["--variant=minbase", f"--include={BASE_PACKAGES}"]
    output_of(
        [debootstrap, *options, "bookworm", str(root), debian_mirror()],
        timeout=240,
        env=os.environ | apt_proxy() | {"TMPDIR": str(buildah.storage)},
    )
    for directory in BALLAST:
        shutil.rmtree(root / directory, ignore_errors=True)
    buildah.run("commit", "--format", "docker", "--rm", container, name)


def debian_mirror() -> str:
    """The machine's own: the first archive of Debian's `main` that apt has been told of."""
    listing = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CREATED_BY) $(REPO_URI)"]
    sources = output_of(listing, timeout=60).splitlines()
    prefix = "Debian main Packages "
    mirrors = sorted({line.removeprefix(prefix) for line in sources if line.startswith(prefix)}, key=len)
    assert mirrors, "apt knows no Debian archive: apt-get update has not been run, or this is no Debian"
    return mirrors[0]  # the shortest: debian-security has a longer one beside it


def apt_proxy() -> dict[str, str]:
    """The proxy that apt is told to use, in the variable that debootstrap's wget reads."""
    wanted = ["apt-config", "shell", "http_proxy", "Acquire::http::Proxy", "https_proxy", "Acquire::https::Proxy"]
    words = shlex.split(output_of(wanted, timeout=60))
    return dict(word.split("=", 1) for word in words)
