"""Which worker runs how many users of which class."""
