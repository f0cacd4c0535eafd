"""The matcher as a service: HTTP, batching, the journal, the lease, the relay, snapshots. All I/O is here."""
