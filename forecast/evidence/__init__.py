"""Ledger rows, a theory and a date compiled to arrays on the weekly grid.

What enters is a way to read rows: stories, coverage, observables, rules. What leaves is `Evidence`, which the engine
understands, with the reason for every row that was left out.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
