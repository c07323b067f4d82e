"""The folder with models/, data/ and reports/ as an object: it puts the other packages together.

What enters finds files and passes them on; no statistics, no SQL, no formatting. What leaves is `Project`.
"""
