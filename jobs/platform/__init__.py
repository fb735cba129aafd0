"""What the product stands on: engine, tables, files, servers, the terminal."""
