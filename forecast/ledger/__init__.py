"""Rows of evidence and the archive, kept for ever: rows, grades, the store, files in and out.

What enters is what is written down; nothing here knows a theory beyond the names that rows may use. What leaves are
entries in force as of a day, issued forecasts, answers, and the log of all that was written.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
