"""Ground for every package: errors, dates, sentences, harmless text, files that are whole.

What enters is used by several packages and knows nothing of forecasts. What leaves are functions of text, numbers and
files, and the errors that the package raises on purpose.
"""
