"""cocotb test module: runs every scenario of a job on an AXI4-Stream design.

It is loaded inside the simulator, which finds the job's folder in its environment.
"""

from __future__ import annotations

import os
from time import monotonic

import cocotb
from cocotb.triggers import Timer

from hwgen.sim.cocotb_job import JOB_VARIABLE, Job
from hwgen.sim.driver import FaultFound
from hwgen.sim.memory import Answer, Request

HEARTBEAT = 0.3  # seconds


def known(handle) -> int | None:
    """A port as a natural number, or None if any bit is unknown."""
    try:
        return int(handle.value)
    except ValueError:
        return None


class MemoryPorts:
    """The two ports by which a design asks a memory for weights."""

    def __init__(self, dut, name: str) -> None:
        ask, take = f"m_axis_{name}_columns", f"s_axis_{name}_weights"
        self._address, self._asked, self._ready = (
            getattr(dut, f"{ask}_{part}") for part in ("tdata", "tvalid", "tready")
        )
        self._data, self._valid, self._taken, self._last = (
            getattr(dut, f"{take}_{part}") for part in ("tdata", "tvalid", "tready", "tlast")
        )

    def set(self, answer: Answer) -> None:
        self._ready.value = answer.ready
        self._valid.value = answer.valid
        self._data.value = answer.data
        self._last.value = answer.last

    def request(self) -> Request:
        return Request(known(self._asked), known(self._taken), lambda: known(self._address))


if JOB_VARIABLE in os.environ:
    job = Job.load(os.environ[JOB_VARIABLE])

    @cocotb.test()
    @cocotb.parametrize(index=range(len(job.scenarios)))
    async def stream(dut, index: int) -> None:
        """Source, design and sink in one loop, one turn a clock cycle."""
        driver = job.driver(index)
        half_period = Timer(5, "ns")
        in_ready, out_valid = dut.s_axis_tready, dut.m_axis_tvalid
        out_data, out_last = dut.m_axis_tdata, dut.m_axis_tlast
        memories = [MemoryPorts(dut, memory.name) for memory in job.design.memories]
        alive = 0.0
        dut.s_axis_tlast.value = 0
        try:
            while not driver.done:
                now = driver.drive()
                dut.aclk.value = 0
                dut.aresetn.value = not now.reset
                dut.s_axis_tvalid.value = now.valid
                dut.s_axis_tdata.value = now.data
                dut.m_axis_tready.value = now.ready
                for ports, answer in zip(memories, now.answers, strict=True):
                    ports.set(answer)
                await half_period
                driver.observe(
                    known(in_ready),
                    known(out_valid),
                    lambda: known(out_data),
                    lambda: known(out_last),
                    [ports.request() for ports in memories],
                )
                dut.aclk.value = 1
                await half_period
                if monotonic() - alive > HEARTBEAT:
                    if job.abandoned():
                        raise SystemExit("nobody waits for this simulation")
                    job.beat(index, driver)
                    alive = monotonic()
        except FaultFound as found:
            job.save_fault(index, found)
            raise
        job.save_result(index, driver)
