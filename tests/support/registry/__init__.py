"""A container registry on this machine, a way to it that can be bad, and an engine that uses it."""
