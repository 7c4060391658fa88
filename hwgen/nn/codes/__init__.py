"""Quantizers of the weight codes, one a file; found by name (``hwgen.nn.code.find_quantizer``)."""
