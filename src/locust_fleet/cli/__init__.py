"""The one command of both images: ``locust-fleet``."""
