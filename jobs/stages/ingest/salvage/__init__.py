"""The slow path: records that the engine could not take, looked at one by one."""
