"""How long entries are kept: policies, and the legal holds that come before them."""
