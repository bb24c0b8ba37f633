"""Run Locust as a fleet: one deploy, runs that survive, numbers that are right."""
