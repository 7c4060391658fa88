"""The target files of docs/targets.md are legal, and every key is explained there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwgen.mcu.target import find_target
from hwgen.mcu.target_file import KEYS

TEXT = (Path(__file__).parents[2] / "docs" / "targets.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_examples(number, tmp_path):
    (tmp_path / "mine.toml").write_text(FILES[number], encoding="utf-8")
    assert find_target(str(tmp_path / "mine.toml")).simulators == ("iss", "cv32e41p")[: 2 - number]


def test_every_key_is_explained():
    rows = re.findall(r"^\| (`.*?) \|", TEXT.partition("## Keys")[2].partition("## Comp")[0], re.M)
    assert sorted(re.findall(r"`(.+?)`", " ".join(rows))) == sorted(KEYS)
