"""The platform below the product: engine, tables, files, servers, the terminal."""
