"""Arrays in, arrays out: filter, gradient, smoother, propagation, simulation, Pareto smoothing.

NumPy and numba only; nothing here knows what a state or an indicator is called. What enters is a kernel or what several
kernels share. What leaves are arrays with the axes (draw, time, state) and their log-likelihoods.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
