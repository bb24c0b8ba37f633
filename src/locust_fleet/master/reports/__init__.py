"""How the reports of workers are taken in: each once, in order, and read."""
