"""Rows of ``sacct --parsable2``, header first, in any selection and order of columns.

Traps handled here: times are local and carry no zone; ``Unknown`` and ``None`` stand for no time;
steps (``123.batch``) leave the user empty, so it is taken from the job's own row; ``CANCELLED by
UID`` names someone who need not be the owner; free text (job name, submit line, comments) may hold
the separator, which is undone where the header has one such column only.
"""

from __future__ import annotations

from jobs.formats import details_map, one_a_line, quoted
from schemas.config import Source
from schemas.fieldmaps import field_map

ENVELOPES: tuple[str, ...] = ()
SEPARATOR = "|"
FREE_TEXT = ("jobname", "submitline", "comment", "admincomment", "systemcomment", "workdir")
FIELDS = tuple(name.lower() for name in field_map("slurm_sacct").used)

JOB = "split(coalesce(nullif(r.jobidraw, ''), r.jobid), '[.]')[0]"
IS_STEP = "(r.jobid like '%.%')"
CLUSTER = "coalesce(nullif(r.cluster, ''), cluster, '-')"
OWNER = f"nullif(max(nullif(r.user, '')) over (partition by {CLUSTER}, {JOB}), '')"
FAILED = "'BOOT_FAIL', 'CANCELLED', 'DEADLINE', 'FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY', 'TIMEOUT'"
STATE = "split(r.state, ' ')[0]"


def is_header(line: str) -> bool:
    """Whether a file's first line names the columns."""
    names = {name.strip().lower() for name in line.split(SEPARATOR)}
    return "jobid" in names or "jobidraw" in names


def record(line: str, header: str) -> str:
    """SQL of the record struct from a row in column ``line`` of a file with that header line.

    ``extra`` is how many fields a row has beyond its header's.
    """
    names = [name.strip().lower() for name in header.rstrip(SEPARATOR).split(SEPARATOR)]
    free = [position for position, name in enumerate(names) if name in FREE_TEXT]
    absorbs = free[0] if len(free) == 1 else len(names)
    parts = f"split(rtrim('|', {line}), '\\\\|')"
    if not header.endswith(SEPARATOR):
        parts = f"split({line}, '\\\\|')"
    extra = f"(size({parts}) - {len(names)})"
    fields = [f"'extra', {extra}", f"'ambiguous', {extra} > 0 and {len(free)} <> 1"]
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


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column."""
    return COLUMNS


def _local_time(field: str) -> str:
    return (
        f"case when length({field}) >= 19 then "
        f"to_utc_timestamp(try_cast({field} as timestamp), timezone) end"
    )


COLUMNS = {
    "event_id": f"concat_ws('/', {CLUSTER}, coalesce(nullif(r.jobidraw, ''), r.jobid), r.submit)",
    "event_time": f"coalesce(case when {IS_STEP} then {_local_time('r.start')} end, "
    f"{_local_time('r.submit')}, {_local_time('r.start')}, {_local_time('r.end')})",
    "principal": f"coalesce(nullif(r.user, ''), {OWNER}, 'unknown')",
    "names": one_a_line(f"coalesce(nullif(r.user, ''), {OWNER})"),
    "kind_hint": "cast(null as string)",
    "acting_as": "cast(null as string)",
    "credential": "cast(null as string)",
    "issued_credential": "cast(null as string)",
    "action": f"case when {IS_STEP} then 'step' else 'submit' end",
    "action_class": f"case when {IS_STEP} then 'other' else 'submit' end",
    "resource": f"concat_ws('/', 'slurm:/', {CLUSTER}, coalesce(nullif(r.account, ''), '-'), "
    f"{JOB})",
    "destination": "cast(null as string)",
    "bytes_out": "cast(null as bigint)",
    "source_ip": "cast(null as string)",
    "user_agent": "cast(null as string)",
    "outcome": f"case when {STATE} = 'COMPLETED' then 'success' when {STATE} in ({FAILED}) "
    "then 'failure' else 'unknown' end",
    "details": details_map(
        {
            "cancelled_by": "nullif(regexp_extract(r.state, 'CANCELLED by ([0-9]+)', 1), '')",
            "exit_code": "nullif(r.exitcode, '')",
            "gpus": "nullif(regexp_extract(r.alloctres, 'gres/gpu[^=,]*=([0-9]+)', 1), '')",
            "job_name": "nullif(r.jobname, '')",
            "nodes": "nullif(r.nodelist, '')",
            "partition": "nullif(r.partition, '')",
            "state": f"nullif({STATE}, '')",
            "step": f"case when {IS_STEP} then r.jobid end",
            "submit_line": "nullif(r.submitline, '')",
            "work_dir": "nullif(r.workdir, '')",
        }
    ),
    # The same job listed again later is known better once it has ended.
    "precedence": f"case when {_local_time('r.end')} is not null then 1 else 0 end",
    "problem": "case when r.extra < 0 then 'fewer fields than the header names' "
    "when r.ambiguous then 'more fields than the header names' "
    "when nullif(r.jobid, '') is null and nullif(r.jobidraw, '') is null then 'no JobID' end",
}
