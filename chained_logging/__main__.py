"""``python -m chained_logging``."""

from chained_logging.cli import main

main()
