"""The command line ``locust-fleet``, which both images have."""
