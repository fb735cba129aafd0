"""Records in the vendors' formats: one module for each source, one function for each action."""
