"""Draws from the posterior: the PyMC model, the sampler, fits and their files, updates and the gate.

The only package that imports PyMC. What enters is a way to get or weight draws. What leaves are a `Posterior` with its
`Trust`, and the `Model` that makes it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
