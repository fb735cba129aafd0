"""Pseudonyms: keys, names, masks."""
