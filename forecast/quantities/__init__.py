"""What is published: probabilities with intervals and errors, read off weighted draws.

What enters is a number that is shown to somebody, or a way to read it off draws. What leaves are `Estimate`,
`Quantity`, `Trust` and the tables of a forecast as frames and JSON.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
