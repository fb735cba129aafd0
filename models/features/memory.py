"""Results kept for one history, so that several detectors share them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import ref

Subject = TypeVar("Subject")
Result = TypeVar("Result")
Rest = ParamSpec("Rest")


def remembered(
    function: Callable[Concatenate[Subject, Rest], Result],
) -> Callable[Concatenate[Subject, Rest], Result]:
    """Keep the answers for an object as long as the object lives.

    Several detectors need the same costly view of one day. Results are shared: don't change them.
    An answer goes with its object, because the next stage needs the memory.
    """
    answers: dict[tuple[Any, ...], tuple[ref[Any], Result]] = {}

    @wraps(function)
    def ask(subject: Subject, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Result:
        key = (id(subject), *args, *sorted(kwargs.items()))
        held = answers.get(key)
        if held is not None:
            return held[1]
        result = function(subject, *args, **kwargs)
        answers[key] = (ref(subject, lambda _: answers.pop(key, None)), result)
        return result

    return ask
