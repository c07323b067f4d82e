"""Topics of a report: each module holds a topic's chart and tables."""
