"""What was issued and how it fared: documents, questions and answers, scores, back-tests, exports.

What enters reads the archive or goes through the past again. What leaves are scores, comparisons, and the archive as
tables.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
