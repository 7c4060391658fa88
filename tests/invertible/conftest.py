"""What tests of netlists share."""

from __future__ import annotations

import pytest


@pytest.fixture
def written(tmp_path):
    """A file with the text, at a path with a space."""

    def write(text: str, name: str = "design.v"):
        path = tmp_path / "with space" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write
