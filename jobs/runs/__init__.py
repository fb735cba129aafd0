"""The record of every stage's run, and the days that are stale by it."""
