"""Notifications: a durable outbox in Postgres, and the notifier that delivers it to channels."""
