"""The schedules: one file each, naming commands; no logic, no data access at import."""
