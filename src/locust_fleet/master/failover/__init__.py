"""How leadership, and the run with it, passes from one master to the next."""
