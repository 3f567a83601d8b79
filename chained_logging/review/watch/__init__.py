"""A log that checks itself: verified again and again, and its surroundings with it."""
