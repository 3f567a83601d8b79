"""Pure functions on bytes: canonical JSON, stored lines, trees, notes."""
