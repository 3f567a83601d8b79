"""Alerts: what detectors found, as entries of the log, brought to people who can act on them."""
