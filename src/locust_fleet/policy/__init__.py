"""Rules for runs: allowed targets, limits, alert thresholds, timeouts. All of it is pure."""
