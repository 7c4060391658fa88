"""Layouts of weight codes in C, one a file; found by name (:func:`hwgen.mcu.registry.find_storage`)."""
