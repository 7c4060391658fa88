"""Designs whose timing depends on the data: their bounds are carried, said and checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwgen.errors import HwgenError, Mismatch
from hwgen.ir import Graph, Schedule, Type
from hwgen.report.table import summary
from hwgen.rtl.design import Design
from hwgen.rtl.emit import emit
from hwgen.rtl.network import Network
from hwgen.sim import check_timing
from hwgen.sim.result import SimulationResult
from tests.rtl.test_layers import one
from tests.rtl.test_recurrent import FORMS, lstm


def test_bounds_are_said(tmp_path) -> None:
    x = Type.of((3, 2), -8, 7)
    graph = one(lstm(4, x), x)
    for form in FORMS:
        design = emit(graph, {"node": Schedule(form, pe=4, simd=4)}, tmp_path / form)
        assert Design.load(design.folder) == design
        assert design.timing_is_bound == (form == "events")
        heads = [path.read_text().partition("module")[0] for path in design.paths[1:]]
        build = SimpleNamespace(
            manifest={"options": {"target": "verilog"}}, folder=tmp_path, design=design
        )
        for text in [*heads, summary(build)[0]]:
            assert ("at most" in text) == design.timing_is_bound
    # A file from before.
    file = tmp_path / "events" / "design.json"
    data = json.loads(file.read_text())
    del data["timing_is_bound"]
    file.write_text(json.dumps(data))
    assert not Design.load(file.parent).timing_is_bound


def test_bounds_are_checked() -> None:
    network = Network(*drawn_design())
    streams = (network.input, network.output, 100, 150)
    design = Design(Path(), "unit", (), *streams, timing_is_bound=True)
    result = SimulationResult(np.zeros(0), 500, 130, 120, ends=(120, 250, 350))
    check_timing(design, result, "here")
    for late, what in (
        (replace(result, ends=(120, 251, 300)), "frame 1 ends 251 cycles after .* at most 250"),
        (replace(result, latency=151, ends=()), "latency is 151 cycles, declared are at most 150"),
    ):
        with pytest.raises(HwgenError, match=what):
            check_timing(design, late, "here")
    with pytest.raises(Mismatch, match="measured interval is 130 cycles, declared are 100"):
        check_timing(replace(design, timing_is_bound=False), result, "here")


def drawn_design() -> tuple[Graph, dict[str, Schedule]]:
    x = Type.of((1, 1), 0, 1)
    return one(lstm(1, x), x), {"node": Schedule("events", pe=1, simd=1)}
