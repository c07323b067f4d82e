"""A forecast for readers: report data, charts and tables by topic, page, Markdown, terminal, index.

What enters shows archived report data in a form, or makes them; each topic is a module of `sections` with its chart and
its tables. What leaves are files and text.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
