"""Looking at a log: queries and exports."""
