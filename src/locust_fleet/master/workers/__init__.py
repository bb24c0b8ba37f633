"""Which workers are connected or missing, and what the master knows of each."""
