"""Tell people: a durable outbox in Postgres, and the notifier that carries it to the channels."""
