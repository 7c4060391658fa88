"""The data sets of the zoo, with fixed splits.

Digits: the 1797 images of 8x8 pixels, 0 to 16, that ship with scikit-learn (Alpaydin & Kaynak,
"Optical Recognition of Handwritten Digits", UCI, 1998). The held-out fifth of each class lies in
this package, so that measuring needs no scikit-learn; training does. MNIST: IDX files, and text:
"War and Peace", in the folder named by HWGEN_DATA, or ``../shared/data`` beside the checkout.
"""

from __future__ import annotations

import gzip
import os
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import InvalidInput

__all__ = [
    "CONTEXT",
    "digits_test",
    "digits_train",
    "have_mnist",
    "have_text",
    "mnist",
    "one_hot",
    "text",
    "text_test",
    "to_real",
]

HELD_OUT = Path(__file__).with_name("digits_test.npz")
SPLIT_SEED = 2026
CONTEXT = 64  # characters before the one that is to be told
SYMBOLS = 83
WINDOWS = 2000  # of the held-out text


def held_out_indices(labels: np.ndarray) -> np.ndarray:
    """Indices of the held-out samples: a fifth of each class, drawn with a fixed seed, sorted."""
    generator = np.random.RandomState(SPLIT_SEED)  # its stream is frozen by numpy's policy
    parts = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        parts.append(generator.permutation(members)[: round(len(members) / 5)])
    return np.sort(np.concatenate(parts))


@cache
def digits_test() -> tuple[np.ndarray, np.ndarray]:
    """The held-out digits: images (n, 8, 8) uint8 in 0..16 and labels (n,) int64."""
    with np.load(HELD_OUT) as file:
        return file["images"], file["labels"].astype(np.int64)


def digits_train() -> tuple[np.ndarray, np.ndarray]:
    """The digits to train on: images (n, 8, 8) uint8 in 0..16 and labels (n,) int64."""
    images, labels = _all_digits()
    keep = np.ones(len(labels), dtype=bool)
    keep[held_out_indices(labels)] = False
    return images[keep], labels[keep]


def write_digits_test(path: Path = HELD_OUT) -> None:
    """Write the held-out digits: how the file in this package was made."""
    images, labels = _all_digits()
    indices = held_out_indices(labels)
    np.savez_compressed(path, images=images[indices], labels=labels[indices].astype(np.uint8))


def to_real(images: np.ndarray, kind: str) -> np.ndarray:
    """Pixels as the models' real units, 0 to 1: digits in steps of 1/16, MNIST of 1/256.

    Powers of two, so that the input's integers are the pixels themselves.
    """
    return images.astype(np.float64) / {"digits": 16, "mnist": 256}[kind]


def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InvalidInput(
            "training on digits needs scikit-learn; install it with pip install 'hwgen[zoo]'"
        ) from None
    digits = load_digits()
    return digits.images.astype(np.uint8), digits.target.astype(np.int64)


def data_folder() -> Path:
    """Where data sets lie: HWGEN_DATA, or ``../shared/data`` beside the checkout."""
    given = os.environ.get("HWGEN_DATA")
    return Path(given) if given else Path(__file__).parents[3] / "shared" / "data"


def have_mnist() -> bool:
    """Whether MNIST is there."""
    return (data_folder() / "mnist" / "train-images-idx3-ubyte.gz").exists()


def mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    """MNIST: images (n, 28, 28) uint8 and labels (n,) int64.

    Parameters
    ----------
    part
        "train" (60 000) or "test" (10 000).

    Raises
    ------
    InvalidInput
        The files are not there.
    """
    prefix = {"train": "train", "test": "t10k"}[part]
    folder = data_folder() / "mnist"
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    return images, read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz").astype(np.int64)


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes, gzipped or not.

    The format: two zero bytes, type 8, number of axes, big-endian 32-bit sizes, the bytes.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InvalidInput(
            f"{path}: no such file; set HWGEN_DATA to the folder that holds mnist/"
        ) from None
    try:
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
        if content[:3] != b"\0\0\x08":
            raise ValueError("must begin with bytes 0 0 8")
        axes = content[3]
        sizes = np.frombuffer(content, dtype=">u4", count=axes, offset=4)
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(sizes)
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise InvalidInput(f"{path}: must be an IDX file of unsigned bytes: {error}") from None


def have_text() -> bool:
    """Whether the text is there."""
    return (data_folder() / "text" / "war_and_peace.txt").exists()


@cache
def text(part: str) -> np.ndarray:
    """War and Peace as numbers of its 83 characters in order of their code, uint8.

    Parameters
    ----------
    part
        "train", "valid" or "test": 80, 10 and 10 % in order (Karpathy, Johnson and Fei-Fei,
        "Visualizing and Understanding Recurrent Networks", 2015).

    Raises
    ------
    InvalidInput
        The file is not there, or is another text.
    """
    path = data_folder() / "text" / "war_and_peace.txt"
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(
            f"{path}: no such file; set HWGEN_DATA to the folder that holds text/"
        ) from None
    symbols = sorted(set(content))
    if len(symbols) != SYMBOLS:
        raise InvalidInput(f"{path}: must have {SYMBOLS} different characters, not {len(symbols)}")
    codes = np.frombuffer(content.encode("utf-32-le"), dtype="<u4")
    numbers = np.searchsorted([ord(s) for s in symbols], codes).astype(np.uint8)
    first, second = len(numbers) * 8 // 10, len(numbers) * 9 // 10
    return {"train": numbers[:first], "valid": numbers[first:second], "test": numbers[second:]}[
        part
    ]


def text_test(windows: int = WINDOWS) -> tuple[np.ndarray, np.ndarray]:
    """Held-out places of the text: the characters before, (windows, 64), and the one that follows."""
    held_out = text("test")
    starts = np.linspace(0, len(held_out) - CONTEXT - 1, windows).astype(int)
    windows = held_out[starts[:, None] + np.arange(CONTEXT + 1)]
    return windows[:, :-1], windows[:, -1].astype(np.int64)


def one_hot(characters: np.ndarray) -> np.ndarray:
    """Characters as vectors of 83 elements, one of them 1."""
    return np.eye(SYMBOLS)[characters]
