"""The slow path: records that the engine could not parse, read one by one."""
