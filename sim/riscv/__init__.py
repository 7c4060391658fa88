"""RISC-V microcontroller cores that run programs: a simulated machine and its engines.

=============  =====================================================================
``iss``        instruction-set simulator in C: cycles by the cores' documented rules
``cv32e40p``   the RTL of CV32E40P under Verilator (extensions: CORE-V)
``cv32e41p``   the RTL of CV32E41P under Verilator (extensions: XpulpV2)
=============  =====================================================================

>>> from pathlib import Path
>>> machine = Machine(isa="xpulpv2", cores=8, l1_bytes=65536)
>>> run = run_program(Path("model.elf"), machine, engine="iss")  # doctest: +SKIP
"""

from .engine import ENGINES, run_program
from .machine import CoreRun, CoreTrap, Machine, Mark
from .program import Program, read_program

__all__ = [
    "ENGINES",
    "CoreRun",
    "CoreTrap",
    "Machine",
    "Mark",
    "Program",
    "read_program",
    "run_program",
]
