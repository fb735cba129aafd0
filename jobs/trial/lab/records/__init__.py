"""Records in the vendors' formats: one module a source, one function an action."""
