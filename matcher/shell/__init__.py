"""Everything around the core that touches the world: HTTP, journal, lease, relay, snapshots, the order queue."""
