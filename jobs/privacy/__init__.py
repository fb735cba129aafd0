"""Pseudonyms: masked tables and the file of identities."""
