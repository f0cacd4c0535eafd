"""The matcher: the one stateful program of the venue. `core` decides, `shell` makes it durable and tells the world."""
