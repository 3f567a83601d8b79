"""Capture from frameworks, one file each. What a file needs is imported with it."""
