"""The printed form."""

from __future__ import annotations


def test_printed_form(small, snapshot):
    snapshot.check(str(small), "small.txt")
