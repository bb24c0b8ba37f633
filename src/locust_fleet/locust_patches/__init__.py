"""What we replace in Locust because it errs; nothing here knows of masters or workers."""
