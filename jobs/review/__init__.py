"""Review of findings by investigators: verdicts, the queue, unmasking."""
