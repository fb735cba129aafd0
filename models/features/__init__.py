"""What several detectors measure alike."""
