"""Measure what a candidate release gives away, and attest what was decided about it."""
