"""What people do with a log: queries, exports, retention periods."""
