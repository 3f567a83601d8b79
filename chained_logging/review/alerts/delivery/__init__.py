"""Where alerts are delivered to: one file for each kind of receiver."""
