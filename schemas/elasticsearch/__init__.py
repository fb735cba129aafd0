"""What an index looks like, and who may do what with it."""
