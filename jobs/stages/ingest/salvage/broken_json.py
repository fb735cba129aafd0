"""Splitting JSON documents, even damaged ones, into the elements of their records array.

After a broken element the reader goes on at the next object that looks like the other elements:
it parses, and it begins like the others or has the same members. Brackets are not counted, because
after a lost quote strings and structure are swapped.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

Piece = tuple[str, str, str | None]
"""Position, text and problem of a piece; the problem is None for a record."""

JSON_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
}
BLANK = " \t\r\n"
PADDING = BLANK + "\0"
MAX_NESTING = 127
"""Most levels of a JSON record: the limit of Sail, set for Spark too."""
TOO_DEEP = f"nested more than {MAX_NESTING} levels deep"
ENDS_EARLY = "the document ends in the middle (still being written?)"
TOKEN = re.compile(r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[{}\[\]]')
FIRST_NAME = re.compile(r'\{\s*"((?:[^"\\]|\\.)*+)"\s*:')
AFTER_SIGN = re.compile(r'(?<=[\[,])\s*(?=\{\s*")')
BOUNDARY = re.compile(r"\}\s*,\s*(?=\{)")
MEMBER_NAME = re.compile(r'"((?:[^"\\]|\\.)*+)"\s*:')
SEEN_ELEMENTS = 200
"""Elements that give the look of a document's elements."""
MOST_TRIES = 1000
"""Objects that are tried as the next element after a broken one."""
STRAY_CHARACTERS = 8
"""Characters between two elements that are no damage."""
LAST_BRACKETS = 50
OPENING_CHARACTERS = 50


class Likeness(NamedTuple):
    """The look of an array's elements: names of their first members and of all members."""

    array: str
    first: frozenset[str]
    names: frozenset[str]

    def fits(self, value: Any) -> bool:
        """Whether a JSON value looks like an element."""
        if not isinstance(value, dict) or not value:
            return False
        if next(iter(value)) in self.first:
            return True
        return 2 * len(self.names & value.keys()) >= len(value)


PAGE_ENDS = re.compile(r"\s*(\]|,\s*\[)")
"""Text after an array of records within an array of such arrays."""


def json_problem(text: str) -> str | None:
    """The reason why a text is not a JSON object; None if it is one."""
    try:
        value = DECODER.decode(text)
    except RecursionError:
        return f"not JSON: {TOO_DEEP}"
    except ValueError as error:
        return f"not JSON: {error}"
    return object_problem(value)


def object_problem(value: object) -> str | None:
    """The reason why a JSON value is not an object; None if it is one."""
    if isinstance(value, dict):
        return None
    return f"not a JSON object but {JSON_NAMES[type(value)]}"


def split_elements(text: str, array: str, cut: bool) -> Iterator[Piece]:
    """Elements of the records arrays of JSON documents, each on one line, even if damaged.

    A file should be one document; if documents follow each other, all of them are read. Text
    between the arrays that is not JSON is a piece with a problem, so that no loss goes unseen.
    ``cut``: the caller knows that the text is not whole, and reports it itself.
    """
    opening = opening_of(array)
    found = opening.search(text)
    if found is None:
        yield "record 1", text, f"no array {array!r} in the file"
        return
    yield from _before_the_document(text[: found.start()], array)
    likeness = _likeness(text, found.end(), array)
    number = 0
    while found is not None:
        place = found.end()
        while True:
            place = skip(text, place, BLANK + ",")
            if place >= len(text):
                if not cut:
                    yield _at(text, place), "", ENDS_EARLY
                return
            if text[place] == "]":
                end, problem = _end_of_document(text, place + 1, array)
                stray = problem and _next_element(text, place + 1, likeness)
                if not stray:
                    break
                between = text[place:stray].strip(PADDING + ",]")
                place = stray
                if not between:
                    continue
                piece = between
                fault: str | None = "not JSON: text between the records"
            else:
                piece, fault, place = _element(text, place, likeness, array, cut)
            number += 1
            yield f"record {number}", piece, fault
            if fault == ENDS_EARLY:
                return
        found = opening.search(text, end)
        rest = text[end : found.start() if found else len(text)].strip(PADDING)
        if rest and not (found and begins_document(rest)):
            problem = problem or "text after the records"
        if problem and not (cut and found is None):
            yield _at(text, end), rest, problem if rest else ENDS_EARLY


def opening_of(array: str) -> re.Pattern[str]:
    """The text before the first element of a records array."""
    return re.compile(rf'"{array}"\s*:\s*\[' if array else r"\[")


def _before_the_document(text: str, array: str) -> Iterator[Piece]:
    """Lines before the document with the first array; the file only looked like one document."""
    text = text.lstrip("\0")
    if array and begins_document(text.strip(BLANK)):
        return
    *lines, start = text.split("\n")
    yield from split_lines("\n".join(lines), cut=False)
    start = start.strip(BLANK)
    if start and not (array and begins_document(start)):
        yield f"line {len(lines) + 1}", start, "text before the records"


def split_lines(text: str, cut: bool) -> Iterator[Piece]:
    """Non-blank lines with their number; the last line of a ``cut`` text is not whole."""
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        line = without_padding(line)
        if not line.strip(PADDING):
            continue
        broken = cut and number == len(lines)
        yield f"line {number}", line, "cut off in the middle" if broken else None


def without_padding(line: str) -> str:
    """A line without NUL characters at its ends and without carriage returns at its end.

    Log rotation by copying and truncating leaves NUL characters before the next record. The engine
    removes the same characters.
    """
    return line.lstrip("\0").rstrip("\r\0")


def _element(
    text: str, place: int, likeness: Likeness, array: str, cut: bool
) -> tuple[str, str | None, int]:
    """The element that begins at ``place``, its problem, and where it ends."""
    try:
        value, end = DECODER.raw_decode(text, place)
    except RecursionError:
        end = _end_of_value(text, place)
        return text[place:end], f"not JSON: {TOO_DEEP}", end
    except ValueError as error:
        problem = f"not JSON: {error}"
    else:
        swallows = isinstance(value, list) and any(map(likeness.fits, value))
        if swallows and not array and PAGE_ENDS.match(text, end):
            swallows = False
        if not swallows and _ends_well(text, skip(text, end, BLANK), likeness):
            # Line breaks can only stand between tokens. The engine reads good elements line by
            # line.
            return re.sub(r"[\r\n]+", " ", text[place:end]), object_problem(value), end
        problem = "not JSON: no comma after the record"
    next_one = _next_element(text, place + 1, likeness)
    end = next_one or _end_of_array(text, place, array)
    if end == len(text) and not next_one:
        problem = "cut off in the middle" if cut else ENDS_EARLY
    return text[place:end].strip(BLANK + ","), problem, end


def _ends_well(text: str, after: int, likeness: Likeness) -> bool:
    """Whether an element that parses ends before ``after``, and not at a bracket put in by damage.

    The next element may have lost its bracket, and a comma may be missing or spoilt.
    """
    if after >= len(text) or text[after] == "]":
        return True
    if text[after] == ",":
        name = MEMBER_NAME.match(text, skip(text, after, BLANK + ","))
        if name is None or name[1] in likeness.first:
            return True
    rest = text[after : after + STRAY_CHARACTERS]
    if after + len(rest) == len(text) and not set(rest) & set('"{'):
        return True
    starts = range(after, min(after + STRAY_CHARACTERS, len(text)))
    return any(_fits_at(text, start, likeness) for start in starts if text[start] == "{")


def _fits_at(text: str, place: int, likeness: Likeness) -> bool:
    """Whether an object begins at ``place`` that parses and looks like an element."""
    try:
        return likeness.fits(DECODER.raw_decode(text, place)[0])
    except (ValueError, RecursionError):
        return False


def _next_element(text: str, start: int, likeness: Likeness) -> int | None:
    """Place of the next element after a broken one; None if there is none.

    An object after `},` that begins like the others counts even if it does not parse, because it
    may be broken too. If nothing looks like the others, any object after `},` counts.
    """
    tries = 0
    for found in FIRST_NAME.finditer(text, start):
        place = found.start()
        before = _before(text, place)
        alike = found[1] in likeness.first
        follows = before == "," and _before(text, _place_before(text, place)) == "}"
        if alike and follows:
            return place
        opened = before == "[" and _opens(text, place, likeness.array)
        if before == ":" or (before == "[" and not opened) or not (follows or alike):
            continue
        tries += 1
        if _fits_at(text, place, likeness):
            return place
        if tries == MOST_TRIES:
            break
    boundary = BOUNDARY.search(text, start - 1)
    if boundary and (tries == MOST_TRIES or not likeness.first):
        return boundary.end()
    return None


def _opens(text: str, place: int, array: str) -> bool:
    """Whether a records array, of the next document, begins before ``place``."""
    if not array:
        return _before(text, _place_before(text, place)) == "]"
    before = text[max(0, place - len(array) - OPENING_CHARACTERS) : place].rstrip(BLANK)
    return re.search(rf'"{array}"\s*:\s*\[$', before) is not None


def _place_before(text: str, place: int) -> int:
    """Place of the last character before ``place`` that is not blank; -1 if there is none."""
    place -= 1
    while place >= 0 and text[place] in PADDING:
        place -= 1
    return place


def _before(text: str, place: int) -> str:
    at = _place_before(text, place)
    return text[at] if at >= 0 else ""


def _likeness(text: str, start: int, array: str) -> Likeness:
    """The look of the elements of the array that begins at ``start``.

    Elements cover more of the text than the objects within them.
    """
    covered: Counter[str] = Counter()
    names: dict[str, set[str]] = {}
    tries, place = 0, start - 1
    while tries < SEEN_ELEMENTS and (found := AFTER_SIGN.search(text, max(place, 0))):
        tries += 1
        place = found.end() + 1
        try:
            value, end = DECODER.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            continue
        first = next(iter(value))
        covered[first] += end - found.end()
        names.setdefault(first, set()).update(value)
        place = end
    begun = FIRST_NAME.match(text, skip(text, start, BLANK))
    if begun and begun[1] not in covered and 4 * covered.total() < place - start:
        # Only objects within the first element were found; there is hardly a second element.
        return Likeness(array, frozenset([begun[1]]), frozenset())
    most = max(covered.values(), default=0)
    known = [name for name, size in covered.items() if 2 * size >= most]
    members = {member for name in known for member in names[name]}
    return Likeness(array, frozenset(known), frozenset(members))


def _end_of_value(text: str, place: int) -> int:
    """End of the object or array that begins at ``place``, by its brackets alone."""
    depth = 0
    for token in TOKEN.finditer(text, place):
        sign = text[token.start()]
        depth += (sign in "{[") - (sign in "}]")
        if depth == 0:
            return token.end()
    return len(text)


def _end_of_array(text: str, place: int, array: str) -> int:
    """End of the array whose last element, which begins at ``place``, is broken.

    It is a bracket after which the document ends properly, else the end of the text.
    """
    brackets = [found.start() for found in re.finditer(r"\]", text[place:])]
    for bracket in brackets[-LAST_BRACKETS:]:
        end, problem = _end_of_document(text, place + bracket + 1, array)
        if problem is None and not text[end:].strip(PADDING):
            return place + bracket
    return len(text)


def _end_of_document(text: str, place: int, array: str) -> tuple[int, str | None]:
    """End of the document whose records array ended at ``place``, and the problem there."""
    start = place
    if not array:
        after = skip(text, place, PADDING)
        sound = after >= len(text) or text[after] == "["
        return start, None if sound else "text after the records"
    try:
        while text[place := skip(text, place, BLANK)] == ",":
            _, place = DECODER.raw_decode(text, skip(text, place + 1, BLANK))
            place = skip(text, place, BLANK)
            if text[place] == ":":
                _, place = DECODER.raw_decode(text, skip(text, place + 1, BLANK))
        if text[place] == "}":
            return place + 1, None
    except (ValueError, IndexError, RecursionError):
        pass
    return start, "not JSON after the records"


def begins_document(text: str) -> bool:
    """Whether the text may be the beginning of an object before its records array."""
    return text == "{" or json_problem(text.rstrip(BLANK + ",") + "}") is None


def skip(text: str, place: int, characters: str) -> int:
    """The first place from ``place`` on with a character that is not in ``characters``."""
    while place < len(text) and text[place] in characters:
        place += 1
    return place


def _at(text: str, place: int) -> str:
    return f"byte {len(text[:place].encode()) + 1}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
