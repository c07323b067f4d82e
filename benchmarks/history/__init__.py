"""What the history teaches: units left out one at a time, durations, and what happens to an effect."""
