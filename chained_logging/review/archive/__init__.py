"""An archive: old segments of a log, moved to a store that keeps them for longer and for less.

PCI DSS 10.5.1 asks for twelve months of history, and for the last three at hand. What is moved is
compressed, verified where it arrived, and recorded in the log before it goes.
"""
