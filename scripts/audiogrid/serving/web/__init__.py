"""What the service answers over HTTP, and whom it answers."""
