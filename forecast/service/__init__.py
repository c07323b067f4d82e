"""Services: a project for other programs and people, over a network or a pipe.

What enters is a project, a clock and requests with tokens of the ledger; nothing here fits a model or knows statistics.
What leaves are answers as JSON that say how old and how trustworthy they are.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
