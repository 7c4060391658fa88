"""The C side of ops, one a file: which values ``kernels/<op>.c.j2`` needs.

Found by name (:func:`hwgen.mcu.registry.find_renderer`); no C in these files.
"""
