"""The files that analysts write: the job config and the context files."""
