"""The engine on simulated worlds: worlds, studies on many workers, verdicts.

What enters tests the package as a whole. What leaves are ranks, calibrations and p-values.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
