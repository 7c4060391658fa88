"""C templates, one an op, and the runtime header; rendered by :mod:`hwgen.mcu`."""
