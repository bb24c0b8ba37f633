"""What the master does besides Locust: guard, record, report, keep users at their target."""
