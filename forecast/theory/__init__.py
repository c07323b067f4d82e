"""Model files: read, merged with the file that they extend, checked, and laid out as joint states.

What enters is what a theory may say, and every fault that can be found in it without evidence. What leaves are a
`ModelSpec` and its `StateSpace`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
