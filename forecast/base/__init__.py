"""Ground for every package: errors, dates, sentences, harmless text, files that are whole.

What enters is used by several packages and knows nothing of forecasts. What leaves are functions of text, numbers and
files, and the errors that the package raises on purpose.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
