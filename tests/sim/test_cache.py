"""Compiled simulators are built once, whoever asks, and appear whole or not at all."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hwgen.sim import cache


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "hwgen"


def test_digest_tells_parts_apart(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("ab")
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
    assert cache.digest(file) == cache.digest("ab")


def test_builds_once(home: Path) -> None:
    builds = []

    def build(folder: Path) -> None:
        builds.append(folder)
        time.sleep(0.05)
        (folder / "result").write_text("done")

    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(lambda _: cache.build_once("kind", "key", build), range(8)))
    assert folders == {home / "kind" / "key"}
    assert (home / "kind" / "key" / "result").read_text() == "done"
    assert len(builds) == 1


def test_failed_builds_leave_nothing(home: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.build_once("kind", "key", build)
    assert list((home / "kind").iterdir()) == []


def test_prunes_what_was_not_used_for_longest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SIZE_LIMIT", 20)
    old = time.time() - 2 * cache.SAFE_AGE
    for index in range(3):
        folder = cache.build_once("kind", f"k{index}", lambda f: (f / "x").write_bytes(bytes(10)))
        os.utime(folder, (old + index, old + index))
    cache.build_once("kind", "k1", lambda f: None)  # used again
    cache.build_once("kind", "new", lambda f: (f / "x").write_bytes(bytes(5)))
    assert sorted(p.name for p in (home / "kind").iterdir()) == ["k1", "new"]


def test_what_a_killed_process_left_goes(home: Path) -> None:
    left, new = home / "kind" / ".left", home / "kind" / ".new"
    for folder in (left, new):
        folder.mkdir(parents=True)
    old = time.time() - 2 * cache.SAFE_AGE
    os.utime(left, (old, old))
    cache.build_once("kind", "key", lambda f: None)
    assert not left.exists() and new.exists()


def test_works_without_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot be written costs time, not results; and somebody is told."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="no cache: .* cannot be written: Not a directory"):
        folder = cache.build_once("kind", "key", lambda f: (f / "x").write_text("made"))
    assert (folder / "x").read_text() == "made"
    assert cache.build_once("kind", "key", lambda f: None) == folder


def test_a_relative_cache_folder_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the XDG specification has it; tools that run elsewhere would not find it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("relative", "", "."):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache.cache_folder() == tmp_path / "home" / ".cache" / "hwgen"
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_a_part_of_the_cache_that_cannot_be_written(home: Path) -> None:
    """Such as one that another user has made."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "kind").write_text("")
    with pytest.warns(UserWarning, match="kind cannot be written"):
        folder = cache.build_once("kind", "key", lambda f: (f / "x").write_text("made"))
    assert (folder / "x").read_text() == "made"
    assert cache.build_once("other", "key", lambda f: None).is_relative_to(home)
