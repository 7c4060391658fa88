"""How long a scanning lane takes: some mask bits and one kept weight a clock.

Windows in which something is kept wait in a queue, so that the multiplier is busy while the
scanner is ahead of it. All of it follows from the mask, and none from the data.
"""

from __future__ import annotations

import numpy as np

__all__ = ["QUEUE", "queue_depth", "scan_clocks", "scan_cycles"]

QUEUE = 8  # windows that may wait; with more a lane is faster by a clock or two in a hundred


def queue_depth(windows: int) -> int:
    """Windows that the queue of a lane holds, where there are ``windows`` of them in all."""
    return max(2, min(QUEUE, windows))


def scan_clocks(mask: np.ndarray, window: int) -> np.ndarray:
    """Clocks from the first window that is looked at to the last kept weight, both included.

    A window that is looked at in clock s can give its first kept weight in clock s + 1, and its
    place in the queue is free in the clock after its last one.

    Parameters
    ----------
    mask
        Booleans of shape (outputs, inputs), at least one a row.
    window
        Inputs that are looked at in a clock.

    Returns
    -------
    int64 array of shape (outputs,).
    """
    outputs, inputs = mask.shape
    windows = -(-inputs // window)
    padded = np.zeros((outputs, windows * window), dtype=np.int64)
    padded[:, :inputs] = mask
    counts = padded.reshape(outputs, windows, window).sum(axis=2)
    depth = queue_depth(windows)
    rows = np.arange(outputs)
    # The clock in which the last weight of every waiting window is multiplied; by the window's
    # number among those that wait, ``depth`` later, so that early ones find their place free.
    left = np.full((outputs, windows + depth), -1, dtype=np.int64)
    seen = np.full(outputs, -1, dtype=np.int64)  # clock in which the window before was looked at
    waited = np.zeros(outputs, dtype=np.int64)  # windows that have gone to the queue
    last = np.full(outputs, -1, dtype=np.int64)
    for k in range(windows):
        seen = np.maximum(seen, left[rows, waited]) + 1
        some = counts[:, k] > 0
        done = np.maximum(seen, last) + counts[:, k]
        last = np.where(some, done, last)
        left[rows[some], waited[some] + depth] = done[some]
        waited += some
    return last + 1


def scan_cycles(clocks: np.ndarray, pe: int) -> int:
    """Cycles that ``pe`` lanes work on a frame: together they take as long as the slowest one.

    One cycle more frees the frame.

    Parameters
    ----------
    clocks
        As :func:`scan_clocks` gives them; neighbouring outputs are worked on at once.
    """
    return int(clocks.reshape(-1, pe).max(axis=1).sum()) + 1
