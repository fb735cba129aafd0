"""Rows of ``sacct --parsable2`` in any selection and order of columns, with a header or without.

Traps handled here: times are local and carry no zone; ``Unknown`` and ``None`` stand for no time;
steps (``123.batch``) leave the user empty, so it is taken from the job's own row; ``CANCELLED by
UID`` names someone who need not be the owner; free text (job name, submit line, comments) may hold
the separator. With one free-text column the row can still be split. With several, only the fields
that are the same in every split are used; the rest is kept as one text.
"""

from __future__ import annotations

import re
from itertools import count
from math import comb

from jobs.stages.ingest.formats.log_format import Link, LogFormat, TextRows
from jobs.stages.ingest.vendors.slurm_states import SHORT, STATES
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    class_of,
    details_json,
    one_a_line,
    quoted,
    unknown_action,
    zoned_time,
)
from schemas.formats.field_map import field_map
from schemas.sources import SACCT_IDS, SACCT_TIMES, Source, sacct_names

SEPARATOR = "|"
UNIT = "\x1f"
FREE_TEXT = frozenset(
    "admincomment comment constraints container extra jobname licenses stderr stdin stdout "
    "submitline systemcomment wckey workdir".split()
)
"""Columns that users or plugins fill; ``|`` means `or` in constraints and licences."""
SHAPES = {
    r"[0-9]+(?:[_+.][^|]*)?": SACCT_IDS,
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][^|]*|[0-9]{9,11}|Unknown|None|": (*SACCT_TIMES, "eligible"),
    "[0-9]*": ("alloccpus", "associd", "elapsedraw", "gid", "ncpus", "nnodes", "reqcpus", "uid"),
    "[0-9]+:[0-9]+|": ("exitcode", "derivedexitcode"),
    "[A-Z_]*(?: [^|]*)?[+]?": ("state",),
    r"[0-9:.-]*": ("cputime", "elapsed", "planned", "suspended"),
    r"(?:[a-z][^|=]*=[^|]*)?": ("alloctres", "reqtres"),
}
"""Patterns of columns without free text; they split a row whose texts hold separators."""
MAX_SPLITS = 1000
"""Most ways to split a row that are tried; each may cost an engine a pass over the row."""
JOB_NUMBER = r"^[0-9]+([_+.]|\z)"
FIELDS = tuple(name.lower() for name in field_map("slurm_sacct").used)


def is_json(head: str, source: Source) -> bool:
    """No: ``sacct --json`` is another format."""
    return False


def given_header(head: str, source: Source) -> str | None:
    """The header made of the source's ``fields``, for a file without a header of its own."""
    lines = [line.rstrip("\r") for line in head.split("\n") if line.strip()]
    if source.fields is None or not lines or _is_header(lines[0]):
        return None
    names = sacct_names(source.fields)
    header = SEPARATOR.join(names)
    # `--parsable` ends every row with a separator, `--parsable2` those with an empty last field.
    plain = sum(line.count(SEPARATOR) == len(names) - 1 for line in lines)
    ended = sum(line.count(SEPARATOR) == len(names) and line.endswith(SEPARATOR) for line in lines)
    return header + SEPARATOR if ended > plain else header


def header_problem(header: str, source: Source) -> str | None:
    """Message with the required columns that the first line lacks; None if it has all."""
    if not _is_header(header):
        return (
            "the first line of the file names no column JobID; if sacct was run with --noheader, "
            "set `fields` of the source to what was given to --format"
        )
    if set(SACCT_TIMES).isdisjoint(_names(header)):
        return "the header has no column Submit, Start or End; add one to sacct's --format"
    return None


def parts(line: str, header: str, source: Source) -> str:
    """SQL of an array of the texts between a row's separators."""
    return f"split({_row(line, header)}, '\\\\|')"


def joined_parts(line: str, header: str, source: Source) -> str:
    """SQL of the array of a row's fields.

    Fields between which the row cannot be split are null. Their joint text is one more element.
    """
    names, row = _names(header), _row(line, header)
    extra, free = _extra_fields(header), _free_text(names)
    if not free:
        return "parts"
    first, end = free[0], free[-1] + 1
    left = f"slice(parts, 1, {first})"
    middle = f"array_join(slice(parts, {first + 1}, {end - first} + {extra}), '|')"
    right = f"slice(parts, {end + 1} + {extra}, {len(names) - end})"
    if len(free) == 1:
        joined = f"concat({left}, array({middle}), {right})"
        return f"case when {extra} > 0 then {joined} else parts end"
    splits = f"{extra} <= {_most_extra(len(free))} and instr({row}, '{UNIT}') = 0"
    return (
        f"case when {extra} <= 0 then parts "
        f"when {splits} and {row} rlike {quoted(_pattern(names, '*'))} then {_agreed(row, names)} "
        f"else concat({left}, {_nulls(end - first)}, {right}, array({middle})) end"
    )


def record(line: str, header: str, source: Source) -> str:
    """SQL of the record struct from a row in column ``line`` of a file with this header line."""
    names = _names(header)
    places = {name: names.index(name) for name in names}
    values = {name: f"get(parts, {places[name]})" if name in places else NO_TEXT for name in FIELDS}
    # Several lines may make one row. Such a line belongs to no day yet.
    whole = f"size(parts) >= {len(names)}"
    if first_ids := _first_ids(names):
        begins = (f"get(parts, {place}) rlike {quoted(JOB_NUMBER)}" for place in first_ids)
        whole += f" and ({' or '.join(begins)})"
    values |= {name: f"case when {whole} then {values[name]} end" for name in SACCT_TIMES}
    # A row without its id or its first time is useless; other fields may be missing.
    needed = [next(n for n in found if n in places) for found in (SACCT_IDS[::-1], SACCT_TIMES)]
    lost = " or ".join(f"get(parts, {places[name]}) is null" for name in needed)
    values["unsplit"] = f"get(parts, {len(names)})"
    values["lost"] = f"coalesce({values['unsplit']} is not null and ({lost}), false)"
    members = ", ".join(f"{quoted(name)}, {value}" for name, value in values.items())
    return f"named_struct({members})"


def fault(line: str, header: str, source: Source) -> str:
    """SQL of why a row does not fit its header; null if it does."""
    extra = _extra_fields(header)
    too_few = f"when {extra} < 0 then {quoted(TOO_FEW)}"
    if _free_text(_names(header)):
        return f"case {too_few} end"
    return f"case {too_few} when {extra} > 0 then 'more fields than the header names' end"


def breaks(text: str, header: str) -> bool | None:
    """Whether a row goes on in the next line; None for text that does not begin with a job."""
    names = _names(header)
    ended = header.endswith(SEPARATOR)
    cells = (text.removesuffix(SEPARATOR) if ended else text).split(SEPARATOR)
    first_ids = _first_ids(names)
    if any(re.match(r"[0-9]+([_+.]|\Z)", cells[n]) for n in first_ids if n < len(cells)):
        return len(cells) < len(names)
    return None if first_ids and not _is_header(text) else False


def links(line: str, header: str, source: Source) -> str:
    """SQL of whether a row may be a job's own row, which has the owner, and not a step's."""
    before = _first_ids(_names(header))
    if not before:
        return "true"
    step = rf"^(?:[^|]*\|){{{before[0]}}}[^|.]*[.]"
    return f"not {line} rlike {quoted(step)}"


def _is_header(line: str) -> bool:
    """Whether a line names columns: no column's name begins with a digit, every job's id does."""
    names = _names(line)
    return not set(SACCT_IDS).isdisjoint(names) and not any(name[:1].isdigit() for name in names)


def _names(header: str) -> list[str]:
    """Columns in lower case; ``--parsable`` ends every line with a separator."""
    return [name.strip().lower() for name in header.removesuffix(SEPARATOR).split(SEPARATOR)]


def _free_text(names: list[str]) -> list[int]:
    return [position for position, name in enumerate(names) if name in FREE_TEXT]


def _first_ids(names: list[str]) -> list[int]:
    """Places of columns of job numbers to the left of all free text."""
    first = min((*_free_text(names), len(names)))
    return [place for place, name in enumerate(names[:first]) if name in SACCT_IDS]


def _row(line: str, header: str) -> str:
    return f"regexp_replace({line}, '\\\\|\\\\z', '')" if header.endswith(SEPARATOR) else line


def _extra_fields(header: str) -> str:
    """SQL of the number of fields that a row has more than its header."""
    return f"(size(parts) - {len(_names(header))})"


def _agreed(row: str, names: list[str]) -> str:
    """SQL of the cells of a row in which all ways to split it agree.

    It is enough to compare two ways: the one with the shortest texts and the one with the longest.
    All ways agree up to the first field in which these two differ, and to the right of the last
    text.
    """
    groups = quoted(UNIT.join(f"${number}" for number in range(1, len(names) + 1)))
    ways = ", ".join(
        f"'{name}', split(regexp_replace({row}, {quoted(_pattern(names, every))}, {groups}), "
        f"'{UNIT}')"
        for name, every in (("short", "*?"), ("long", "*"))
    )
    free = _free_text(names)
    end = free[-1] + 1
    cases = " ".join(f"when get(w.short, {n}) <> get(w.long, {n}) then {n}" for n in free)
    agree = f"(case {cases} else {end} end)"
    cells = (
        f"concat(slice(w.short, 1, {agree}), slice({_nulls(end)}, 1, {end} - {agree}), "
        f"slice(w.short, {end + 1}, {len(names) - end}), array(nullif("
        f"array_join(slice(w.short, {agree} + 1, {end} - {agree}), '|'), '')))"
    )
    return f"get(transform(array(named_struct({ways})), w -> {cells}), 0)"


def _pattern(names: list[str], every: str) -> str:
    """Pattern of a row with a group for each field; ``every`` is the quantifier of free texts."""
    shapes = {name: shape for shape, alike in SHAPES.items() for name in alike}
    shapes |= dict.fromkeys(FREE_TEXT, f".{every}")
    return "(?s)^" + r"\|".join(f"({shapes.get(name, '[^|]*')})" for name in names) + r"\z"


def _most_extra(texts: int) -> int:
    """Most extra separators in so many texts for which the ways to split them can all be tried."""
    return next(n for n in count() if comb(n + texts, texts - 1) > MAX_SPLITS)


def _nulls(number: int) -> str:
    return f"array({', '.join([NO_TEXT] * number)})"


def _local_time(field: str) -> str:
    """SQL of a time: local, with a zone or in epoch seconds, by ``SLURM_TIME_FORMAT``."""
    return (
        f"case when {field} rlike '^[0-9]{{9,11}}$' "
        f"then timestamp_seconds(try_cast({field} as bigint)) else {zoned_time(field)} end"
    )


TOO_FEW = (
    "fewer fields than the header names (line breaks in the last column cannot be undone: let one "
    "without free text stand last in sacct's --format)"
)
ID = "coalesce(nullif(r.jobidraw, ''), nullif(r.jobid, ''))"
JOB = f"substring_index({ID}, '.', 1)"
IS_STEP = "(coalesce(nullif(r.jobid, ''), r.jobidraw) like '%.%')"
CLUSTER = "coalesce(nullif(r.cluster, ''), cluster, '-')"
# A removed user is shown as `nobody` or as a number.
USER = "coalesce(nullif(nullif(r.user, ''), 'nobody'), nullif(r.uid, ''), nullif(r.user, ''))"
OWNER = "owner"
# The owner's name and number come from one row, because job ids are used again.
NAME_OF_JOB = "substring_index(owner_of_job, '\\n', 1)"
OWNER_UID = "coalesce(nullif(r.uid, ''), nullif(get(split(owner_of_job, '\\n'), 1), ''))"
WORD = "substring_index(r.state, ' ', 1)"
# sacct never shows a job as completing or configuring, so these states make no prefix ambiguous.
SHOWN = [s for each in STATES.values() for s in each if s not in ("COMPLETING", "CONFIGURING")]


def _own_start(state: str) -> str:
    """The shortest prefix of a state that no other state shown by sacct has."""
    others = [other for other in SHOWN if other != state]
    starts = (state[:length] for length in range(1, len(state) + 1))
    return next(s for s in starts if not any(other.startswith(s) for other in others))


# A width in --format cuts longer states and ends them with a plus: `CANCELLED+`, `OUT_OF_ME+`. A
# prefix of several states (`C+`) is ambiguous.
WHOLE = " ".join(
    f"when startswith('{state}', rtrim('+', {WORD})) and startswith({WORD}, '{_own_start(state)}') "
    f"then '{state}'"
    for state in SHOWN
)
STATE = "state"
BY_OUTCOME = {outcome: " ".join(states) for outcome, states in STATES.items()}
UNKNOWN_STATE = f"nullif({unknown_action(STATE, BY_OUTCOME)}, '')"
# Without a state an exit code other than 0 is a failure; the code 0 decides nothing.
OUTCOME = (
    f"case when nullif({STATE}, '') is not null "
    f"then {class_of(STATE, BY_OUTCOME, quoted('unknown'))} "
    "when r.exitcode rlike '^([1-9][0-9]*:[0-9]+|[0-9]+:[1-9][0-9]*)' then 'failure' "
    "else 'unknown' end"
)
BY = "nullif(regexp_extract(r.state, '^CANCELLED by ([^+]+)\\\\z', 1), '')"

# All GPUs are counted once; some clusters count the GPUs of each type once more.
ALL_GPUS = "nullif(regexp_extract(r.alloctres, '(?:^|,)gres/gpu=([0-9]+)', 1), '')"
TYPED_GPUS = "regexp_extract_all(r.alloctres, '(?:^|,)gres/gpu:[^=,]*=([0-9]+)', 1)"
SUM_OF_GPUS = (
    f"aggregate(transform({TYPED_GPUS}, n -> try_cast(n as bigint)), cast(0 as bigint), "
    "(a, b) -> a + b)"
)

DERIVED = (
    # 64 bits are faster to compare than texts.
    {"job_hash": f"xxhash64({CLUSTER}, {JOB})"},
    Link(
        tells=f"case when {USER} is not null then array(job_hash) end",
        values={"owner_of_job": f"max(concat({USER}, '\\n', coalesce(r.uid, '')))"},
        asks="job_hash",
    ),
    {
        OWNER: f"coalesce({USER}, {NAME_OF_JOB})",
        STATE: f"case when {WORD} like '%+' then case {WHOLE} else {WORD} end "
        f"when length({WORD}) <= 3 then case {WORD} {SHORT} else {WORD} end else {WORD} end",
        # Other text stands for no time: `Unknown`, `None`, empty text.
        **{
            name: f"case when r.{field} rlike '^[0-9]' then r.{field} end"
            for name, field in (("submitted", "submit"), ("started", "start"), ("ended", "end"))
        },
    },
    {"happened": f"coalesce(case when {IS_STEP} then started end, submitted, started, ended)"},
)
# A job's later row may have another time and account.
SAME_EVENT = ("principal", "action")

COLUMNS = {
    # A requeued job is listed once more with another submit time; rows without submit times have
    # another start.
    "event_id": f"concat_ws('/', {CLUSTER}, {ID}, coalesce(submitted, started))",
    "event_time": _local_time("happened"),
    "principal": f"coalesce({OWNER}, 'unknown')",
    "names": one_a_line(OWNER),
    "kind_hint": NO_TEXT,
    "acting_as": NO_TEXT,
    "credential": NO_TEXT,
    "issued_credential": NO_TEXT,
    "action": f"case when {IS_STEP} then 'step' else 'submit' end",
    "action_class": f"case when {IS_STEP} then 'other' else 'submit' end",
    "resource": f"concat_ws('/', 'slurm:/', {CLUSTER}, coalesce(nullif(r.account, ''), '-'), "
    f"{JOB})",
    "object": NO_TEXT,
    "destination": NO_TEXT,
    "bytes_out": "cast(null as bigint)",
    "source_ip": NO_TEXT,
    "user_agent": NO_TEXT,
    "outcome": OUTCOME,
    "details": details_json(
        {
            # The canceller of a job need not be its owner; only these two numbers have names here.
            "cancelled_by": f"case when {BY} = '0' then 'root' when {BY} = {OWNER_UID} "
            f"then {OWNER} else {BY} end",
            "ended": f"cast({_local_time('ended')} as string)",
            "exit_code": "nullif(r.exitcode, '')",
            "gpus": f"coalesce({ALL_GPUS}, nullif(cast({SUM_OF_GPUS} as string), '0'))",
            "job_name": "nullif(r.jobname, '')",
            "nodes": "case when r.nodelist not in ('', 'None assigned', 'None') "
            "then r.nodelist end",
            "partition": "nullif(r.partition, '')",
            "started": f"cast({_local_time('started')} as string)",
            "state": f"nullif({STATE}, '')",
            "std_out": "nullif(r.stdout, '')",
            "step": f"case when {IS_STEP} then coalesce(nullif(r.jobid, ''), r.jobidraw) end",
            "submit_line": "nullif(r.submitline, '')",
            UNKNOWN_ACTION: f"concat('state ', substring({UNKNOWN_STATE}, 1, 80))",
            # Fields between which the row cannot be split, as one text.
            "unsplit": "r.unsplit",
            "work_dir": "nullif(r.workdir, '')",
        }
    ),
    # A job may be listed several times; the row of the ended job is kept.
    "precedence": "if(ended is null, 0, 1)",
    "problem": "case when r.lost then 'separators within several columns of free text: the job or "
    "its time cannot be told' "
    f"when {ID} is null then 'no JobID' when not {ID} rlike {quoted(JOB_NUMBER)} "
    "then 'no job number where the header has JobID' end",
}

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    text=TextRows(
        record=record,
        fault=fault,
        is_json=is_json,
        header_problem=header_problem,
        given_header=given_header,
        parts=parts,
        joined_parts=joined_parts,
        links=links,
        breaks=breaks,
    ),
    derived=DERIVED,
    same_event=SAME_EVENT,
)
