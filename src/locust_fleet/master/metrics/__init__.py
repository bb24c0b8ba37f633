"""What Prometheus is told of a run."""
