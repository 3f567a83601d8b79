"""Capture from web frameworks: one entry for each request, one module for each kind of server."""
