"""The simulated machine: its sizes and rates, and what a run on it yields."""

from __future__ import annotations

from dataclasses import dataclass

from hwgen.errors import HwgenError, InvalidInput

__all__ = ["ISAS", "CoreRun", "CoreTrap", "Machine", "Mark"]

ISAS = ("rv32imc", "xpulpv2", "xcv")

L1, L2, L3, START = 0x1000_0000, 0x1C00_0000, 0x8000_0000, 0x1C00_0080


@dataclass(frozen=True, slots=True)
class Machine:
    """RISC-V cores with shared memory, two DMA engines and a host, as `machine.h` models them.

    Instruction fetch is ideal. L1 and L2 are word-interleaved banks that serve one access a cycle
    each, round robin; a core that loses tries again in the next cycle.

    One DMA engine moves bytes among L1 and L2, another between L2 and L3. Each does one transfer
    after another, and both work at the same time.

    Attributes
    ----------
    isa
        One of ``ISAS``: without extensions, with XpulpV2 (RI5CY, GAP8), with CORE-V's.
    cores
        1 to 64; ``mhartid`` counts from 0.
    l1_bytes, l2_bytes, l3_bytes
        Memory at 0x1000_0000, 0x1C00_0000 (code, constants, stacks), 0x8000_0000 (external: only
        its DMA engine reaches it). Multiples of 4; no L1 or L3 if 0.
    banks
        Of L1, and of L2 as well: 1 to 64.
    l2_wait
        Further cycles of every data access of a core to L2.
    dma_setup, dma_bytes
        Cycles before a transfer moves bytes, and bytes a cycle (1 to 64).
    l3_setup, l3_bytes_per_cycle
        The same of transfers from or to L3.

    Raises
    ------
    InvalidInput
        A field is out of its range.
    """

    isa: str = "rv32imc"
    cores: int = 1
    l1_bytes: int = 0
    l2_bytes: int = 16 << 20
    l3_bytes: int = 0
    banks: int = 16
    l2_wait: int = 0
    dma_setup: int = 16
    dma_bytes: int = 8
    l3_setup: int = 100
    l3_bytes_per_cycle: int = 1

    def __post_init__(self) -> None:
        if self.isa not in ISAS:
            raise InvalidInput(
                f"a machine's isa must be one of {', '.join(ISAS)}, not {self.isa!r}"
            )
        limits = {
            "cores": (1, 64),
            "l1_bytes": (0, MACHINE_DEVICES - L1),
            "l2_bytes": (256, L3 - L2),
            "l3_bytes": (0, L3),
            "banks": (1, 64),
            "l2_wait": (0, 1000),
            "dma_setup": (0, 1_000_000),
            "dma_bytes": (1, 64),
            "l3_setup": (0, 1_000_000),
            "l3_bytes_per_cycle": (1, 64),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidInput(f"a machine's {name} must be {low} to {high}, not {value}")
            if name in ("l1_bytes", "l2_bytes", "l3_bytes") and value % 4:
                raise InvalidInput(f"a machine's {name} must be a multiple of 4, not {value}")

    def holds(self, address: int) -> bool:
        """Whether instructions can lie there."""
        return L1 <= address < L1 + self.l1_bytes or L2 <= address < L2 + self.l2_bytes


MACHINE_DEVICES = 0x1A10_0000


@dataclass(frozen=True, slots=True)
class Mark:
    """A profile point that a program passed.

    Attributes
    ----------
    core, id
        Which core stored which number.
    cycle
        Of the machine, when the store was granted.
    instret
        Instructions that the core had retired before the store.
    """

    core: int
    id: int
    cycle: int
    instret: int


@dataclass(frozen=True, slots=True)
class CoreRun:
    """What a program did until it ended.

    Attributes
    ----------
    outputs
        Of the samples for which the program handed one in, one after another.
    exit_code
        What it stored to the exit register.
    cycles
        From reset to the cycle of that store, with it.
    instructions
        Retired, by core.
    marks
        Profile points in the order of their cycles.
    printed
        What it printed; at most 1 MiB.
    conflicts
        Cycles in which a core lost a bank to another core or to DMA, by core.
    waits
        Cycles for which a core waited for L2, for the barrier or for a DMA engine, by core.
    dma_cycles, dma_bytes
        Cycles in which the DMA engine between L1 and L2 was at work, bytes it moved.
    l3_cycles, l3_bytes
        The same of the engine between L2 and L3.
    """

    outputs: bytes
    exit_code: int
    cycles: int
    instructions: tuple[int, ...]
    marks: tuple[Mark, ...]
    printed: str
    conflicts: tuple[int, ...]
    waits: tuple[int, ...]
    dma_cycles: int
    dma_bytes: int
    l3_cycles: int
    l3_bytes: int


class CoreTrap(HwgenError):
    """A core stopped a run: an illegal instruction, an access outside memory, no end in sight.

    Attributes
    ----------
    core, address, instruction
        The core's number, the instruction's address and its word (None if none was executed).
    cause
        What it did.
    symbol
        The function that the address lies in, such as ``conv1+0x24``; empty if not known.
    """

    exit_code = 1

    def __init__(self, core: int, address: int, instruction: int | None, cause: str, symbol: str):
        self.core = core
        self.address = address
        self.instruction = instruction
        self.cause = cause
        self.symbol = symbol
        where = f"0x{address:08x}" + (f" in {symbol}" if symbol else "")
        if instruction is not None:
            digits = 8 if instruction & 3 == 3 else 4
            where += f", instruction 0x{instruction:0{digits}x}"
        super().__init__(f"core {core} stopped at {where}: {cause}")
