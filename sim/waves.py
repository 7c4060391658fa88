"""Where waveforms go."""

from __future__ import annotations

from pathlib import Path

from hwgen.errors import InvalidInput

__all__ = ["wave_file"]


def wave_file(path: Path, suffix: str) -> Path:
    """``path`` with the suffix of an engine's format: an empty file, which can be written.

    Raises
    ------
    InvalidInput
        It cannot be written.
    """
    path = path.absolute().with_suffix(suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    except OSError as error:
        raise InvalidInput(
            f"waveforms {path}: cannot be written: {error.strerror}; choose another place"
        ) from None
    return path
