"""hwgen: trained networks in, verified hardware and firmware out."""

__version__ = "0.1.0"
