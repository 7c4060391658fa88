"""What only moves beats, and windows of images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.errors import InvalidInput
from hwgen.ir import Type
from hwgen.ops.lib.window import Window
from hwgen.rtl.design import StreamShape
from hwgen.rtl.lib.flow import Queue, Repack
from hwgen.rtl.lib.window import WindowGenerator
from tests.ops.draw import windows
from tests.rtl.bench import check_component


def values(shape: StreamShape, frames: int, seed: int) -> np.ndarray:
    element = shape.element
    size = (frames, shape.lanes * shape.beats)
    return np.random.default_rng(seed).integers(element.lo, element.hi, size, endpoint=True)


@settings(max_examples=10)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_queue(depth, width, beats, signed, seed) -> None:
    shape = StreamShape(2, width, signed, beats)
    x = values(shape, 5, seed)
    check_component(lambda: Queue(shape, depth), x, x, seed)


@settings(max_examples=12)
@given(st.integers(1, 5), st.integers(2, 5), st.booleans(), st.integers(1, 3), st.integers(0, 99))
def test_repack(narrow, factor, gathers, beats, seed) -> None:
    few = StreamShape(narrow, 3, True, factor * beats)
    many = StreamShape(narrow * factor, 3, True, beats)
    source, target = (few, many) if gathers else (many, few)
    x = values(source, 5, seed)
    check_component(lambda: Repack(source, target), x, x, seed)


@st.composite
def geometries(draw) -> tuple[Window, int, int]:
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    window = Window(height, width, *draw(windows(height, width, most=4)))
    return window, draw(st.integers(1, 3)), draw(st.integers(1, 3))


@pytest.mark.parametrize(
    ("window", "folds", "lanes"),
    [
        (Window(4, 5, (4, 5), (1, 1), (0, 0)), 1, 1),  # the kernel is the image
        (Window(5, 1, (3, 1), (1, 1), (1, 0)), 2, 1),  # one pixel a row
        (Window(1, 5, (1, 3), (2, 2), (0, 1)), 1, 2),  # one row
        (Window(4, 4, (2, 2), (1, 1), (1, 1)), 1, 1),  # more windows a row than pixels
        (Window(2, 2, (4, 4), (1, 1), (2, 2)), 1, 1),  # kernel larger than the image
        (Window(5, 5, (1, 1), (3, 3), (0, 0)), 1, 1),  # pixels that no window sees
    ],
)
def test_windows_at_the_corners(window, folds, lanes) -> None:
    check_windows(window, folds, lanes)


@settings(max_examples=15)
@given(geometries())
def test_windows(drawn) -> None:
    check_windows(*drawn)


@pytest.mark.slow
@settings(max_examples=600)
@given(geometries())
def test_many_windows(drawn) -> None:
    check_windows(*drawn)


def check_windows(window: Window, folds: int, lanes: int) -> None:
    window.verify()
    fill = -3
    source = StreamShape(lanes, 4, True, window.height * window.width * folds)
    x = values(source, 3, seed=folds + lanes).reshape(3, window.height, window.width, folds * lanes)
    # Window by window and fold by fold: every position's lanes.
    taps = window.gather(x, fill=fill)
    taps = taps.reshape(*taps.shape[:5], folds, lanes)
    expected = np.moveaxis(taps, 5, 3).reshape(3, -1)
    check_component(
        lambda: WindowGenerator(window, source, folds, fill), x.reshape(3, -1), expected
    )


def test_lanes_must_divide_a_frame() -> None:
    with pytest.raises(InvalidInput, match="lanes must divide the 10 elements of a frame, not 4"):
        StreamShape.of(Type.of((10,), 0, 1), 4)
