"""Who the workers are, and what is known of each."""
