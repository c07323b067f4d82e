"""The whole engine checked: simulated worlds, planted bugs, exact sums, second opinions, a back-test."""
