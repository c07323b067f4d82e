"""Whether rules follow their outcomes, and whether two coders of one chronology would answer alike."""
