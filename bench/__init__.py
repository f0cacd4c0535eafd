"""Measurements: how fast each part is, beside what it stands on, taken in one run."""
