"""Rows of ``sacct --parsable2``, header first, in any selection and order of columns.

Traps handled here: times are local and carry no zone; ``Unknown`` and ``None`` stand for no time;
steps (``123.batch``) leave the user empty, so it is taken from the job's own row; ``CANCELLED by
UID`` names someone who need not be the owner; free text (job name, submit line, comments) may hold
the separator, which is undone where the header has one such column only.
"""

from __future__ import annotations

from jobs.formats import NO_TEXT, details_json, one_a_line, quoted, zoned_time
from schemas.config import Source
from schemas.fieldmaps import field_map

ENVELOPES: tuple[str, ...] = ()
KEEPS_TEXT = False
SEPARATOR = "|"
FREE_TEXT = ("jobname", "submitline", "comment", "admincomment", "systemcomment", "workdir")
FIELDS = tuple(name.lower() for name in field_map("slurm_sacct").used)

JOB = "split(coalesce(nullif(r.jobidraw, ''), r.jobid), '[.]')[0]"
IS_STEP = "(coalesce(nullif(r.jobid, ''), r.jobidraw) like '%.%')"
CLUSTER = "coalesce(nullif(r.cluster, ''), cluster, '-')"
OWNER = f"nullif(max(nullif(r.user, '')) over (partition by {CLUSTER}, {JOB}), '')"
FAILED = "'BOOT_FAIL', 'CANCELLED', 'DEADLINE', 'FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY', 'TIMEOUT'"
STATE = "split(r.state, ' ')[0]"


def is_json(head: str, source: Source) -> bool:
    """``sacct --json`` is another format."""
    return False


def header_problem(header: str, source: Source) -> str | None:
    """What a first line lacks that must name the columns; None if nothing."""
    if {"jobid", "jobidraw"}.isdisjoint(_names(header)):
        return "the first line of the file names no column JobID (sacct was run without a header?)"
    return None


def record(line: str, header: str, source: Source) -> str:
    """SQL of the record struct from a row in column ``line`` of a file with that header line."""
    names = _names(header)
    parts, extra = _parts(line, header), _extra_fields(line, header)
    free = _free_text(names)
    absorbs = free[0] if len(free) == 1 else len(names)
    fields = []
    for name in FIELDS:
        if name not in names:
            value = "cast(null as string)"
        elif (place := names.index(name)) < absorbs:
            value = f"get({parts}, {place})"
        elif place == absorbs:
            value = f"array_join(slice({parts}, {place + 1}, greatest({extra}, 0) + 1), '|')"
        else:
            value = f"get({parts}, {place} + greatest({extra}, 0))"
        fields.append(f"{quoted(name)}, {value}")
    return f"named_struct({', '.join(fields)})"


def fault(line: str, header: str, source: Source) -> str:
    """SQL of why a row does not fit its header; null if it does."""
    extra = _extra_fields(line, header)
    too_few = f"when {extra} < 0 then 'fewer fields than the header names'"
    if len(_free_text(_names(header))) == 1:
        return f"case {too_few} end"
    return f"case {too_few} when {extra} > 0 then 'more fields than the header names' end"


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column."""
    return COLUMNS


def _names(header: str) -> list[str]:
    """Columns in lower case; ``--parsable`` ends every line with a separator."""
    return [name.strip().lower() for name in header.removesuffix(SEPARATOR).split(SEPARATOR)]


def _free_text(names: list[str]) -> list[int]:
    return [position for position, name in enumerate(names) if name in FREE_TEXT]


def _parts(line: str, header: str) -> str:
    if header.endswith(SEPARATOR):
        line = f"regexp_replace({line}, '\\\\|$', '')"
    return f"split({line}, '\\\\|')"


def _extra_fields(line: str, header: str) -> str:
    """SQL of how many fields a row has beyond its header's."""
    return f"(size({_parts(line, header)}) - {len(_names(header))})"


def _local_time(field: str) -> str:
    """SQL of a time; ``SLURM_TIME_FORMAT`` may have made it epoch seconds or added a zone."""
    return (
        f"case when {field} rlike '^[0-9]{{9,11}}$' "
        f"then timestamp_seconds(try_cast({field} as bigint)) else {zoned_time(field)} end"
    )


COLUMNS = {
    "event_id": f"concat_ws('/', {CLUSTER}, coalesce(nullif(r.jobidraw, ''), r.jobid), r.submit)",
    "event_time": f"coalesce(case when {IS_STEP} then {_local_time('r.start')} end, "
    f"{_local_time('r.submit')}, {_local_time('r.start')}, {_local_time('r.end')})",
    "principal": f"coalesce(nullif(r.user, ''), {OWNER}, 'unknown')",
    "names": one_a_line(f"coalesce(nullif(r.user, ''), {OWNER})"),
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
    "outcome": f"case when {STATE} = 'COMPLETED' then 'success' when {STATE} in ({FAILED}) "
    "then 'failure' else 'unknown' end",
    "details": details_json(
        {
            "cancelled_by": "nullif(regexp_extract(r.state, 'CANCELLED by ([0-9]+)', 1), '')",
            "exit_code": "nullif(r.exitcode, '')",
            "gpus": "nullif(regexp_extract(r.alloctres, 'gres/gpu[^=,]*=([0-9]+)', 1), '')",
            "job_name": "nullif(r.jobname, '')",
            "nodes": "case when r.nodelist not in ('', 'None assigned', 'None') "
            "then r.nodelist end",
            "partition": "nullif(r.partition, '')",
            "state": f"nullif({STATE}, '')",
            "step": f"case when {IS_STEP} then r.jobid end",
            "submit_line": "nullif(r.submitline, '')",
            "work_dir": "nullif(r.workdir, '')",
        }
    ),
    # The same job listed again later is known better once it has ended.
    "precedence": f"case when {_local_time('r.end')} is not null then 1 else 0 end",
    "problem": "case when coalesce(nullif(r.jobid, ''), nullif(r.jobidraw, '')) is null "
    "then 'no JobID' end",
}
