"""Errors that end a run, each with its exit code. They are raised at the cause and caught once."""

from __future__ import annotations


class RunError(Exception):
    """A stage failed; the message names the input and the remedy. Exit code 1."""

    exit_code = 1


class EngineError(RunError):
    """The engine failed; the data may be sound. Exit code 1."""


class InputError(RunError):
    """The command, the config or a context file is wrong; ``problems`` lists all. Exit code 2."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class GateError(RunError):
    """The data-quality gate stopped the day. Exit code 3.

    ``withdrawn``: names of the tables from which the rows of an older run were removed.
    """

    exit_code = 3
    withdrawn: tuple[str, ...] = ()
