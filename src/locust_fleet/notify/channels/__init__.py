"""The channels: one module for each vendor, and what they share."""
