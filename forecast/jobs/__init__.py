"""What a scheduled run needs: lock, limit of time, log, notices, units for schedulers.

What enters serves a process that nobody watches. What leaves are guards around a run and files that a scheduler reads.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
