"""Who may see a name: masked tables and the file of identities."""
