"""What passes between hwgen and the simulator process that cocotb lives in: files in a folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hwgen.errors import HwgenError
from hwgen.rtl.design import Design

from .driver import FaultFound, StreamDriver
from .faults import Fault, Status, report
from .memory import read_image
from .packing import beats_to_bytes, bytes_to_beats, pack_bytes, unpack_bytes
from .result import SimulationResult
from .scenario import Scenario

__all__ = ["JOB_VARIABLE", "Job"]

JOB_VARIABLE = "HWGEN_STREAM_JOB"
"""Names the folder of the job in the simulator's environment."""


@dataclass(frozen=True, slots=True)
class Job:
    """Scenarios to run on a design.

    Attributes
    ----------
    folder
        Holds ``design.json``, ``scenarios.json``, the images of memories, the beats ``in-<index>.npy`` and the process id
        of the ``owner``; afterwards ``done-<index>.json`` with ``out-<index>.npy``, or
        ``fault-<index>.json``; and while it runs ``heartbeat``.
    design
        Its timing and streams.
    scenarios
        In order of their index.
    """

    folder: Path
    design: Design
    scenarios: tuple[Scenario, ...]

    @classmethod
    def create(cls, folder: Path, design: Design, x, scenarios: Sequence[Scenario]) -> Job:
        """Write a job for the samples ``x`` into ``folder``."""
        replace(design, folder=folder).save()
        for memory in design.memories:
            read_image(design, memory)
            shutil.copyfile(design.folder / memory.image, folder / memory.image)
        text = json.dumps([asdict(scenario) for scenario in scenarios])
        (folder / "scenarios.json").write_text(text, encoding="utf-8")
        (folder / "owner").write_text(str(os.getpid()), encoding="utf-8")
        for index, scenario in enumerate(scenarios):
            noise = np.random.default_rng(scenario.seed) if scenario.stalls else None
            beats = pack_bytes(np.asarray(x)[: scenario.frames], design.input, noise)
            np.save(folder / f"in-{index}.npy", beats)
        return cls(folder, design, tuple(scenarios))

    @classmethod
    def load(cls, folder: str | Path) -> Job:
        folder = Path(folder)
        data = json.loads((folder / "scenarios.json").read_text(encoding="utf-8"))
        return cls(folder, Design.load(folder), tuple(Scenario(**fields) for fields in data))

    def driver(self, index: int) -> StreamDriver:
        """The driver of one scenario."""
        beats = bytes_to_beats(np.load(self.folder / f"in-{index}.npy"))
        data_bits = self.design.input.data_bits
        return StreamDriver.of(self.design, self.scenarios[index], beats, data_bits)

    def save_result(self, index: int, driver: StreamDriver) -> None:
        outputs = beats_to_bytes(driver.outputs, self.design.output)
        np.save(self.folder / f"out-{index}.npy", outputs)
        done = {
            "cycles": driver.cycles,
            "starts": driver.starts,
            "ends": driver.ends,
            "requests": driver.requests,
        }
        self._write(f"done-{index}.json", done)

    def save_fault(self, index: int, found: FaultFound) -> None:
        fault = {"fault": int(found.fault), "status": asdict(found.status)}
        self._write(f"fault-{index}.json", fault)

    def beat(self, index: int, driver: StreamDriver) -> None:
        """Leave a sign of life."""
        text = f"{index} {driver.cycle} {len(driver.ends)}"
        (self.folder / "heartbeat").write_text(text, encoding="utf-8")

    def abandoned(self) -> bool:
        """Whether the process that wants the result has died."""
        try:
            os.kill(int((self.folder / "owner").read_text(encoding="utf-8")), 0)
        except (OSError, ValueError):
            return True
        return False

    def heartbeat(self) -> tuple[int, ...]:
        """The last sign of life: scenario, cycle, frames that came out; empty before the first."""
        try:
            text = (self.folder / "heartbeat").read_text(encoding="utf-8")
        except OSError:
            return ()
        return tuple(map(int, text.split()))

    def result(self, index: int, simulator: str, waves: Path | None) -> SimulationResult | None:
        """What the simulator found, or None if it did not come that far.

        Raises
        ------
        ProtocolViolation, SimulationHang
        """
        scenario = self.scenarios[index]
        if (fault := self._read(f"fault-{index}.json")) is not None:
            where = f"{self.design.top} in {simulator}, {scenario.name}"
            raise self._error(fault, where)
        if (done := self._read(f"done-{index}.json")) is None:
            return None
        outputs = unpack_bytes(np.load(self.folder / f"out-{index}.npy"), self.design.output)
        return SimulationResult.of(
            scenario,
            outputs,
            done["cycles"],
            done["starts"],
            done["ends"],
            waves,
            done["requests"],
        )

    def _error(self, fault: dict, where: str) -> HwgenError:
        return report(Fault(fault["fault"]), Status(**fault["status"]), where)

    def _write(self, name: str, data: dict) -> None:
        (self.folder / name).write_text(json.dumps(data), encoding="utf-8")

    def _read(self, name: str) -> dict | None:
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
