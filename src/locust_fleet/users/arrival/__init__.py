"""The open model: iterations begin on a schedule, whether earlier ones have ended or not.

The import adds a listener to Locust's ``init`` event: with plain ``locust -f`` nothing else would
begin the arrivals.
"""

from locust_fleet.users.arrival.standalone import StandaloneArrivals

# One for the process, because only the import of a scenario's module tells of it.
standalone = StandaloneArrivals()
standalone.attach()
