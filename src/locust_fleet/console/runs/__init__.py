"""Runs as the console shows and controls them, through Postgres and the leader."""
