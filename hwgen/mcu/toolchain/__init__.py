"""Compilers, linking, and running emitted C on this machine."""
