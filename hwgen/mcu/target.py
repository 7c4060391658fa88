"""What C is emitted for. A target is data; kernels and the planner ask it, nothing compares names."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Unsupported

__all__ = ["TARGETS", "Target", "find_target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that runs emitted C.

    Attributes
    ----------
    name
        What ``--target`` and messages say.
    summary
        One line for people.
    triple, cpu
        What the cross compiler (clang's spelling) needs; empty for the machine that hwgen runs on.
    """

    name: str
    summary: str
    triple: str = ""
    cpu: str = ""

    @property
    def is_host(self) -> bool:
        """Whether the machine that hwgen runs on is meant."""
        return not self.triple


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("host", "the machine that hwgen runs on"),
        Target(
            "rv32imc",
            "32-bit RISC-V with multiplication and compressed instructions, bare metal",
            triple="riscv32-freestanding-none",
            cpu="generic_rv32+m+c+zicsr",
        ),
    )
}


def find_target(name: str) -> Target:
    """The target called ``name``.

    Raises
    ------
    Unsupported
        There is none.
    """
    if name not in TARGETS:
        raise Unsupported(f"C target must be one of {', '.join(TARGETS)}, not {name!r}")
    return TARGETS[name]
