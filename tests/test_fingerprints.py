"""Whether files read otherwise than before, however they were changed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.settings.files import Fingerprints

OLD = 1_700_000_000


def settled(file: Path, text: str) -> None:
    """Written long ago, so that its times are believed."""
    file.write_text(text)
    os.utime(file, (OLD, OLD))


def _edited(file: Path) -> None:
    file.write_text("other")


def _edited_within_the_grain_of_its_times(file: Path) -> None:
    before = file.stat()
    file.write_text("anew")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced_by_one_of_the_same_size_and_time(file: Path) -> None:
    other = file.with_suffix(".other")
    settled(other, "anew")
    other.replace(file)


def _gone(file: Path) -> None:
    file.unlink()


CHANGES = [_edited, _edited_within_the_grain_of_its_times, _replaced_by_one_of_the_same_size_and_time, _gone]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("write", [settled, Path.write_text], ids=["long ago", "just now"])
def test_a_changed_file_is_seen(tmp_path, change: Callable[[Path], None], write: Callable[[Path, str], object]):
    file, fingerprints = tmp_path / "p.yaml", Fingerprints()
    write(file, "once")
    before = fingerprints.of([file])
    assert fingerprints.of([file]) == before
    change(file)
    assert fingerprints.of([file]) != before


def test_a_link_in_the_way_that_is_replaced_is_seen(tmp_path):
    for version in ("first", "second"):
        (tmp_path / version).mkdir()
        settled(tmp_path / version / "p.yaml", version[:5])
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    fingerprints = Fingerprints()
    before = fingerprints.of([tmp_path / "p.yaml"])
    (tmp_path / "..tmp").symlink_to("second")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    assert fingerprints.of([tmp_path / "p.yaml"]) != before


def test_a_file_that_was_only_touched_reads_as_before(tmp_path):
    file, fingerprints = tmp_path / "p.yaml", Fingerprints()
    settled(file, "once")
    before = fingerprints.of([file])
    file.touch()
    assert fingerprints.of([file]) == before


def test_another_file_of_the_same_content_is_another_set_of_files(tmp_path):
    one, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for file in (one, other):
        settled(file, "once")
    fingerprints = Fingerprints()
    assert len({fingerprints.of([one]), fingerprints.of([other]), fingerprints.of([one, other])}) == 3
