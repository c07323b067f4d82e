"""The limit of the conflict alarm, from simulated worlds."""
