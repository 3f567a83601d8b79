"""What an auditor's checklist asks of an audit log, and what can be seen of it from here.

:mod:`.points` has ten points that hold for any log, :mod:`.clauses` those of a standard. Each names
the probes that it needs (:mod:`.probes`). A probe looks, and says *met*, *not met* or *not
checkable from here*. :func:`.checklist.checked` asks them all.
"""
