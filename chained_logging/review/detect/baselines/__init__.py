"""Baselines: what is unusual, against the past of the same actor and of the others.

Each detector is a file, and says in its findings the number it saw and the past it compared it
with. ``docs/baselines.md`` has the formulas.
"""
