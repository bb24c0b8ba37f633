"""What a worker does besides Locust: stay inside the allow-list, leave without losing a count."""
