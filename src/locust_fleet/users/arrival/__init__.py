"""The open model: iterations begin at times of their own, whatever became of those before."""

from locust_fleet.users.arrival.standalone import StandaloneArrivals

standalone = StandaloneArrivals()
standalone.attach()
