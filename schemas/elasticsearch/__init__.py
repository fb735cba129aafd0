"""The indices of Elasticsearch, and the roles that may read and write them."""
