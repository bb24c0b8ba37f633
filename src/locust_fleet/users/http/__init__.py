"""The HTTP user and its client."""
