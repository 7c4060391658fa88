"""What the tests of one op share: its emitted hardware."""

from __future__ import annotations

import pytest

from tests.ops.harness import HARDWARE, Hardware, emit_hardware


@pytest.fixture(scope="class")
def hardware(request, tmp_path_factory) -> list[Hardware]:
    """Designs of the op under test; many more where slow tests run, too."""
    slow = request.config.getoption("-m") != "not slow"
    folder = tmp_path_factory.mktemp("hardware")
    return emit_hardware(request.cls, folder, HARDWARE * (20 if slow else 1))
