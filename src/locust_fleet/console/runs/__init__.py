"""What the console knows of runs, from Postgres and from the leader."""
