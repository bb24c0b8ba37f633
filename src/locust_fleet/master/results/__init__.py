"""What a run leaves behind: samples, events, failures, files."""
