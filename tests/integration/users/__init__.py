"""Our HTTP user beside those of Locust, before servers that record, and servers that attack."""
