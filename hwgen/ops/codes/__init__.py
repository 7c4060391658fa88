"""Weight codes, one a file; found by name (:func:`hwgen.ir.code.find_code`)."""
