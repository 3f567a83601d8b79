"""The probes, a module for each place where they look. Each function takes the subject and perhaps
a number of days, and returns what it found. :mod:`.every` names them all."""
