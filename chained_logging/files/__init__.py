"""Files that are the log's own: locked, and written so that a power failure undoes nothing."""
