"""Signals wait where they would do harm, and come afterwards."""

from __future__ import annotations

import signal

import pytest

from hwgen.undisturbed import undisturbed


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs signal masks")
def test_an_interrupt_comes_when_the_block_has_ended():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("the work")
        done.append("nothing else")
    assert done == ["the work"]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
