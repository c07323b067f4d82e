"""How over-confident a reading row by row becomes where the news has an agenda; writes ``figures.json``."""
