"""Entries in the formats of other programs: pure functions on one entry, a module for each format.

``docs/formats.md`` says which field goes where. :mod:`chained_logging.formats.table` lists them.
"""
