"""The metrics of a run for Prometheus."""
