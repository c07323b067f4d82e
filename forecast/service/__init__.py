"""The door for a team: a JSON service with a live page, its worker, and tools for assistants.

What enters are requests over HTTP or from an assistant, checked and limited; what leaves are answers of the project,
each stamped with what it rests on. No fit is made in a request: it is asked for, and a worker makes it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
