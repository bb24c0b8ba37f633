"""What processes of several roles need: loops, health, metrics, stores, logs of requests."""
