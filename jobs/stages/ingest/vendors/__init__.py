"""Vocabularies of single vendors that their formats read."""
