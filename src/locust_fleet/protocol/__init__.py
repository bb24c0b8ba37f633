"""The messages between master and workers: names, checks, encoding, epochs."""
