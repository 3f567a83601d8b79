"""A report on a period of a log, as one file that an auditor keeps.

:mod:`.contents` gathers what it says, :mod:`.page` gives it its form.
"""
