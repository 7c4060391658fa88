"""Arithmetic that several ops share."""
