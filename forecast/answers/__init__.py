"""Questions to a forecast that was just made: what if, drivers, watch-list, rules, sensitivity, alarm, experts.

What enters is a kind of question with its result. What leaves are results with sentences, frames and JSON.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
