"""One HTTP client and one HTTP server, each with deadlines and limits."""
