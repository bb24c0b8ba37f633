"""What is stored of a run: samples, events, failures, files."""
