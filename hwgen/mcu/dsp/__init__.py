"""Instructions of DSP cores, and the C headers made of them."""
