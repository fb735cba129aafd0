"""Documents that a day sends to Elasticsearch."""
