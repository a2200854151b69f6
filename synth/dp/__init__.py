"""Differential privacy: mechanisms, their accounting, and the synthesizer built on them."""
