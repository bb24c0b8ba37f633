"""The messages between master and workers."""
