"""Reviews: somebody looks at a period of the log, says what they found, and signs that."""
