"""Which worker runs how many users of each class."""
