"""hwgen beside other generators of Verilog, on the same integers, in one run.

``python -m benchmarks`` runs everything, ``python -m benchmarks area`` one benchmark. Tables are
printed and written to ``benchmarks/results.md``.

The other generators, da4ml and alkaid, are used as they come from the package index, through their
public interfaces. A generator that is not installed gets a row that says so.
"""
