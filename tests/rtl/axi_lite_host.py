"""cocotb test module: a host on the AXI4-Lite bus of a design with registers.

It is loaded inside the simulator. Its job, a JSON file that the environment names, has addresses and
words by register, what to write for every run, and the folder for the answers.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

JOB_VARIABLE = "HWGEN_AXI_LITE_JOB"
START, BUSY, DONE = 1, 2, 4
TEST = {"timeout_time": 300, "timeout_unit": "us"}
CHANNELS = (
    ("aw", ("addr",)),
    ("w", ("data", "strb")),
    ("b", ("resp",)),
    ("ar", ("addr",)),
    ("r", ("data", "resp")),
)

job = json.loads(Path(os.environ[JOB_VARIABLE]).read_text()) if JOB_VARIABLE in os.environ else {}


class Host:
    """A master with the registers' names, and a watch over the bus."""

    def __init__(self, dut, stalls: int | None = None) -> None:
        self.dut = dut
        dut.aresetn.value = 0
        Clock(dut.aclk, 10, "ns").start()
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        self.master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        self.random = random.Random(stalls)
        if stalls is not None:
            write, read = self.master.write_if, self.master.read_if
            for channel in (
                write.aw_channel,
                write.w_channel,
                write.b_channel,
                read.ar_channel,
                read.r_channel,
            ):
                channel.set_pause_generator(self._pauses(self.random.uniform(0, 0.8)))
        cocotb.start_soon(self._watch())

    def _pauses(self, rate: float):
        while True:
            yield self.random.random() < rate

    async def _watch(self) -> None:
        """What is valid stays, unchanged, until it is taken; so does the frame for the network."""
        dut = self.dut
        streams = [(dut, f"s_axi_{channel}", data) for channel, data in CHANNELS]
        streams += [(dut.network, f"{side}_axis_t", ("data",)) for side in "sm"]
        watched = [
            (name, *(getattr(of, name + end) for end in ("valid", "ready")), signals)
            for of, name, data in streams
            for signals in [[getattr(of, name + signal) for signal in data]]
        ]
        waiting: dict[str, tuple[int, ...]] = {}
        while True:
            await FallingEdge(dut.aclk)
            if not int(dut.aresetn.value):
                waiting = {}
                continue
            for name, valid, ready, data in watched:
                now = tuple(int(signal.value) for signal in data) if int(valid.value) else ()
                assert waiting.get(name, now) == now, f"{name} changed while it waited"
                waiting.pop(name, None)
                if now and not int(ready.value):
                    waiting[name] = now

    async def reset(self) -> None:
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 3)
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    async def write(self, name: str, value: int, expected=AxiResp.OKAY) -> None:
        """All words of a register."""
        address, words = job["map"][name]
        response = await self.master.write(address, value.to_bytes(4 * words, "little"))
        assert response.resp == expected, f"{name}: {response.resp}"

    async def read(self, name: str) -> int:
        address, words = job["map"][name]
        response = await self.master.read(address, 4 * words)
        assert response.resp == AxiResp.OKAY, f"{name}: {response.resp}"
        return int.from_bytes(response.data, "little")

    async def write_all(self, run: dict[str, int]) -> None:
        for name, value in run.items():
            await self.write(name, value)

    async def read_all(self, names) -> dict[str, int]:
        return {name: await self.read(name) for name in names}

    async def wait(self) -> None:
        """Until done."""
        while (status := await self.read("control")) != DONE:
            assert status == BUSY, status

    async def answer(self) -> dict[str, int]:
        return await self.read_all(job["outputs"])

    async def run(self, run: dict[str, int]) -> dict[str, int]:
        await self.write_all(run)
        await self.write("control", START)
        await self.wait()
        return await self.answer()


class Pins:
    """The bus pin by pin, for what a master does not do."""

    def __init__(self, dut) -> None:
        self.dut = dut
        Clock(dut.aclk, 10, "ns").start()

    async def reset(self) -> None:
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            getattr(self.dut, f"s_axi_{name}").value = 0
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 3)
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    async def write(self, address: int, data: int, strobes: int = 15) -> int:
        """The response."""
        dut = self.dut
        dut.s_axi_awaddr.value, dut.s_axi_wdata.value = address, data
        dut.s_axi_wstrb.value = strobes
        await self._transfer("awvalid", "awready", "wvalid")
        await self._transfer("bready", "bvalid")
        return int(dut.s_axi_bresp.value)

    async def read(self, address: int) -> int:
        self.dut.s_axi_araddr.value = address
        await self._transfer("arvalid", "arready")
        await self._transfer("rready", "rvalid")
        return int(self.dut.s_axi_rdata.value)

    async def _transfer(self, own: str, other: str, *more: str) -> None:
        ends = [getattr(self.dut, f"s_axi_{name}") for name in (own, *more)]
        for end in ends:
            end.value = 1
        await RisingEdge(self.dut.aclk)
        while not getattr(self.dut, f"s_axi_{other}").value:
            await RisingEdge(self.dut.aclk)
        for end in ends:
            end.value = 0


def note(test: str, answers: list[dict[str, int]]) -> None:
    """Leave the answers, which also says that the test came to its end."""
    (Path(job["folder"]) / f"{test}.answers").write_text(json.dumps(answers))


async def _one_after_the_other(host: Host, test: str) -> None:
    await host.reset()
    assert await host.read("identity") == job["identity"]
    assert await host.read("model") == job["model"]
    answers = []
    for at, run in enumerate(job["runs"]):
        answers.append(await host.run(run))
        assert host.dut.irq.value == 1
        assert await host.read_all(run) == run
        if at % 2:  # half of the runs start while the last one is still called done
            await host.write("control", DONE)
            assert await host.read("control") == 0
            assert host.dut.irq.value == 0
            assert await host.answer() == answers[-1]
    note(test, answers)


@cocotb.test(**TEST)
async def runs(dut) -> None:
    """A run after the other, as fast as the bus goes."""
    await _one_after_the_other(Host(dut), "runs")


@cocotb.test(**TEST)
async def runs_under_stalls(dut) -> None:
    """The same with pauses at random on every channel."""
    await _one_after_the_other(Host(dut, stalls=1), "runs_under_stalls")


@cocotb.test(**TEST)
async def busy(dut) -> None:
    """While a run goes on: no other start, no answer, and its inputs may be overwritten."""
    host = Host(dut)
    await host.reset()
    answers = []
    await host.write_all(job["runs"][0])
    for at in range(len(job["runs"])):
        await host.write("control", START)
        if at + 1 < len(job["runs"]):
            await host.write_all(job["runs"][at + 1])
        assert await host.read("control") == BUSY, "the run is too short for this test"
        await host.write("control", START, AxiResp.SLVERR)
        await host.write("control", START | DONE, AxiResp.SLVERR)
        assert not any((await host.answer()).values())
        assert await host.read("control") == BUSY, "the run is too short for this test"
        assert dut.irq.value == 0
        await with_timeout(RisingEdge(dut.irq), 20, "us")
        answers.append(await host.answer())
        # Nothing follows: the refused starts are forgotten.
        await ClockCycles(dut.aclk, 30)
        assert await host.read("control") == DONE
    note("busy", answers)


@cocotb.test(**TEST)
async def errors(dut) -> None:
    """Whatever is no register, or cannot be written, answers with an error and changes nothing."""
    host = Host(dut, stalls=2)
    await host.reset()
    answers = [await host.run(job["runs"][0])]
    writable, readable = {0}, set()
    for name, (address, words) in job["map"].items():
        own = {address + 4 * k for k in range(words)}
        readable |= own
        if name in job["runs"][0]:
            writable |= own
    everything = range(0, 1 << job["address_bits"], 4)
    assert set(everything) - readable, "every address is a register"
    before = await host.read_all(job["map"])
    for address in everything:
        read = await host.master.read(address, 4)
        assert read.resp == (AxiResp.OKAY if address in readable else AxiResp.SLVERR), address
        assert address in readable or not any(read.data)
        if address not in writable:
            write = await host.master.write(address, b"\xff\xff\xff\xff")
            assert write.resp == AxiResp.SLVERR, address
    assert await host.read_all(job["map"]) == before
    note("errors", answers)


@cocotb.test(**TEST)
async def strobes(dut) -> None:
    """Writes of some bytes of a word, whatever the others hold, set these bytes and no other."""
    pins = Pins(dut)
    await pins.reset()
    rng = random.Random(3)
    for name in job["runs"][0]:
        address, words = job["map"][name]
        for k in range(words):
            bits = min(32, job["bits"][name] - 32 * k)
            expected = 0
            for strobes in (*range(16), 15):
                at = address + 4 * k + rng.randrange(4)
                data = rng.getrandbits(32)
                mask = sum(0xFF << 8 * byte for byte in range(4) if strobes >> byte & 1)
                mask &= (1 << bits) - 1
                expected = (expected & ~mask) | (data & mask)
                assert await pins.write(at, data, strobes) == AxiResp.OKAY
                assert await pins.read(address + 4 * k + rng.randrange(4)) == expected
    last = job["runs"][-1]
    for name, value in last.items():
        address, words = job["map"][name]
        for k in range(words):
            await pins.write(address + 4 * k, value >> 32 * k & 0xFFFFFFFF)
    await pins.write(0, 0xFFFFFFFF, 0b1110)
    assert await pins.read(0) == 0
    await pins.write(3, START, 0b0001)
    while (status := await pins.read(0)) != DONE:
        assert status == BUSY, status
    await pins.write(0, 0xFFFFFFFF & ~START, 0b1110)
    assert await pins.read(0) == DONE
    answer = {}
    for name in job["outputs"]:
        address, words = job["map"][name]
        answer[name] = sum([await pins.read(address + 4 * k) << 32 * k for k in range(words)])
    note("strobes", [answer])


@cocotb.test(**TEST)
async def reset_in_mid_run(dut) -> None:
    """A reset ends a run and clears what was written; the next run is as good as the first."""
    host = Host(dut)
    await host.reset()
    answers = []
    for at, run in enumerate(job["runs"]):
        await host.write_all(run)
        await host.write("control", START)
        await ClockCycles(dut.aclk, 1 + 40 * at)
        assert await host.read("control") == BUSY, "the run is too short for this test"
        await host.reset()
        assert dut.irq.value == 0
        assert await host.read("control") == 0
        assert not any((await host.read_all(run)).values())
        assert not any((await host.answer()).values())
        answers.append(await host.run(run))
        await host.reset()
        assert await host.read("control") == 0
        assert not any((await host.answer()).values())
    note("reset_in_mid_run", answers)


@cocotb.test(**TEST)
async def handshakes(dut) -> None:
    """Without a master: address and data in any order, and responses held for as long as it takes."""
    await Pins(dut).reset()
    edge = RisingEdge(dut.aclk)  # what is read behind it is what the edge saw
    address = job["map"][list(job["runs"][0])[-1]][0]
    dut.s_axi_awaddr.value = dut.s_axi_araddr.value = address
    dut.s_axi_wstrb.value = 1
    for value, order in ((1, ("awvalid", "wvalid")), (2, ("wvalid", "awvalid")), (3, ())):
        dut.s_axi_wdata.value = value
        if order:
            getattr(dut, f"s_axi_{order[0]}").value = 1
            for _ in range(7):
                await edge
                assert not dut.s_axi_awready.value and not dut.s_axi_wready.value
                assert not dut.s_axi_bvalid.value
        dut.s_axi_awvalid.value = dut.s_axi_wvalid.value = 1
        for _ in range(2):
            await edge
        assert dut.s_axi_awready.value and dut.s_axi_wready.value
        dut.s_axi_awvalid.value = dut.s_axi_wvalid.value = 0
        # A read does not wait until the response to the write is taken.
        dut.s_axi_arvalid.value = 1
        for cycle in range(12):
            await edge
            assert dut.s_axi_bvalid.value and int(dut.s_axi_bresp.value) == 0
            if dut.s_axi_arready.value:
                dut.s_axi_arvalid.value = 0
            assert bool(dut.s_axi_rvalid.value) == (cycle >= 2)
            if cycle >= 2:
                assert (int(dut.s_axi_rdata.value), int(dut.s_axi_rresp.value)) == (value, 0)
        # Another write does, and another read for the response to the first.
        dut.s_axi_awvalid.value = dut.s_axi_wvalid.value = dut.s_axi_arvalid.value = 1
        for _ in range(5):
            await edge
            assert not dut.s_axi_awready.value and not dut.s_axi_arready.value
            assert dut.s_axi_bvalid.value and dut.s_axi_rvalid.value
        dut.s_axi_bready.value = dut.s_axi_rready.value = 1
        await edge
        for ready in (False, True):
            await edge
            assert not dut.s_axi_bvalid.value and not dut.s_axi_rvalid.value
            assert bool(dut.s_axi_awready.value) == bool(dut.s_axi_arready.value) == ready
        dut.s_axi_awvalid.value = dut.s_axi_wvalid.value = dut.s_axi_arvalid.value = 0
        await ClockCycles(dut.aclk, 3)
        dut.s_axi_bready.value = dut.s_axi_rready.value = 0
        await edge
    # A reset ends what is under way.
    dut.s_axi_awvalid.value = dut.s_axi_wvalid.value = dut.s_axi_arvalid.value = 1
    await ClockCycles(dut.aclk, 5)
    assert dut.s_axi_bvalid.value and dut.s_axi_rvalid.value
    dut.aresetn.value = 0
    await edge
    for _ in range(3):
        await edge
        assert not dut.s_axi_bvalid.value and not dut.s_axi_rvalid.value
        assert not dut.s_axi_awready.value and not dut.s_axi_arready.value
    note("handshakes", [])
