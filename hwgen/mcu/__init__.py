"""The C back end: a graph in, a folder of C11 out.

:func:`hwgen.mcu.emit.emit` writes it; :mod:`.host` and :mod:`.cross` compile it.
"""
