"""RISC-V microcontroller cores that run programs: a simulated machine and its engines."""
