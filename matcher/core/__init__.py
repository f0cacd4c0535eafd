"""Pure matching: commands in, events out. No clock, no chance, no I/O."""
