"""The commands, the stages of a day, and all that they stand on."""
