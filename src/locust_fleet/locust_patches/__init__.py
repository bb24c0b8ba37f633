"""What we replace in Locust because of its faults; nothing here imports master or worker."""
