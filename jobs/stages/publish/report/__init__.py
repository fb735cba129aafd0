"""The report: one page of all findings in the queue."""
