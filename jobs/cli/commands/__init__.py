"""One file for each group of commands: what it takes and what it calls."""
