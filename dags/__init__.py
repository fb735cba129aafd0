"""The schedules, one file each. A schedule only names commands and reads no data at import."""
