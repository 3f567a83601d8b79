"""Backups of a log, apart from it: made while it is written to, verified on arrival, and tested.

A backup in a folder has the log's own files, so that ``verify`` and ``restore`` read it. A backup
in PostgreSQL or S3 is a shipment (:mod:`chained_logging.ship`) with a progress of its own.
"""
