"""Feeds: events that machines and research projects have coded, as weekly counts, coverage and suggested sightings.

What enters are feed files, which say where a source's files are and what its events mean to the model, and those files.
What leaves are rows of the ledger (deliveries, counts, coverage, accepted sightings) and how old each feed is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
