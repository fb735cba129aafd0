"""The commands with their options, one module for each group."""
