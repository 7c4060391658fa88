"""hwgen beside other generators of Verilog, on the same integers, in one run.

``python -m benchmarks`` runs everything and writes ``benchmarks/results.md``;
``python -m benchmarks area`` runs one benchmark and prints it.

The other generators, da4ml and alkaid, are used as they come from the package index, through their
public interfaces. A generator that is not installed gets a row that says so.
"""
