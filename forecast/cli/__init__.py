"""The command line: parse, call, print; nothing else.

What enters is a command or what commands share; only this package prints or reads the clock. What leaves is text and an
exit code.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
