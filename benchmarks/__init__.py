"""Timings of the reference model, and the studies whose documents are in `docs/`."""
