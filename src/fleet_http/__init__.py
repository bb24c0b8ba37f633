"""An HTTP client for load tests: requests' interface at a fraction of its CPU time."""
