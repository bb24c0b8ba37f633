"""How the lead goes from one master to the next, and the run with it."""
