"""What the console answers, path by path."""
