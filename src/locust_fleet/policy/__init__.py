"""What a run may be: where load may go, how much of it, and from when on an alert fires."""
