"""The venue's own language: money, products, orders, commands, events, ledger. Pure; every program speaks it."""
