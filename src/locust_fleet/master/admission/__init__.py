"""Whether a run may start or change."""
