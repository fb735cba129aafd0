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
    """Keep the last answer for an object, as long as the object lives.

    Several detectors need the same costly view of one day. Results are shared: don't change them.
    """
    answers: dict[tuple[Any, ...], tuple[ref[Any], Result]] = {}

    @wraps(function)
    def ask(subject: Subject, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Result:
        key = (id(subject), *args, *sorted(kwargs.items()))
        held = answers.get(key)
        if held is not None and held[0]() is subject:
            return held[1]
        for old in [name for name, (about, _) in answers.items() if about() is None]:
            del answers[old]
        result = function(subject, *args, **kwargs)
        answers[key] = (ref(subject), result)
        return result

    return ask
