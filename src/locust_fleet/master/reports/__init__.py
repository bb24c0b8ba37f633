"""How the master reads workers' reports: each one once, and in order."""
