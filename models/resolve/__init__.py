"""Who a principal is and which asset a URI belongs to."""
