"""What investigators do to findings: verdicts, the queue, unmasking."""
