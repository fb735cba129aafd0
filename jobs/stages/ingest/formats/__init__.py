"""The log formats: how raw records of each become the columns of :data:`PARSED`.

A format is one module with

- ``ENVELOPES``: names of the array that holds the records where a file is one JSON document
  (``""`` for a bare array; empty for formats that are never one document),
- ``KEEPS_TEXT``: whether ``columns`` reads the record's text ``raw`` (parsing is faster without),
- ``json_type(source) -> str``: Spark SQL type of a JSON record, and
- ``columns(source) -> dict``: SQL of every column of :data:`PARSED` over the struct ``r``, the
  text ``raw``, and the literals ``source_name``, ``cluster``, ``timezone`` and ``run_day``.

A text format, whose files begin with a line that names the columns, has besides

- ``is_json(head, source) -> bool``: whether a file that begins so is JSON all the same,
- ``header_problem(header, source) -> str | None``: why no line under it can be understood,
- ``record(line, header, source) -> str``: SQL of the struct ``r``, and
- ``fault(line, header, source) -> str``: SQL of why a line does not fit its header, else null.

and may have

- ``parts(line, header, source) -> str``: SQL of what ``record`` and ``fault`` are made of, which
  they are given as column ``parts``, and
- ``mended(line, header, source) -> str``: the same once more, made from that column, where a line
  is taken apart in two steps.

``ADDRESSES``, where a module has it, is SQL of an array of the addresses that a record gives for
its caller, the server's own view last. Then two more literals exist: ``seen_address``
(:func:`last_untrusted` of them, by the source's ``trusted_proxies``) and ``forwarded_for``, the
others.

``DERIVED``, where a module has it, is SQL by name of what several columns are made of, in groups of
which each may use those before it. Both are computed once for each record: engines evaluate the
text of an expression as often as it stands in a ``case``, and patterns cost more than all else.
``derived(source)`` gives more such groups that depend on the source's settings.
A :class:`Link` in place of a group is what other lines tell, from the groups before it. A text
format with one has ``telling(line, header, source) -> str``, SQL of whether a line may tell
anything: the files are read for those alone, before the rest, so they should be few.

A format whose records also come within other records (of a message bus, of a cloud's log service)
has besides

- ``WRAPPERS``: what they come in, by the member that tells it (:class:`Wrapper`),
- ``ALONE``: the member that every record has itself and nothing around it has,
- ``BATCHES``: those of ``ENVELOPES`` of which a file may hold many, one a line, and
- ``BATCH``: the member beside such an array that says where all its records come from.

With ``HEADERLESS = True`` no line names columns: ``header`` is empty and every line is a record.
``given_header(head, source) -> str | None``, where a format has it, is the header that the config
gives for a file that begins so, None if the file has one itself. ``breaks(text, header) -> bool |
None``, where rows may hold line breaks, is whether a row goes on in the next line, None for text
that begins no row.

Rows with one ``event_id`` are one event if they agree in ``SAME_EVENT``, SQL over the columns of
:data:`PARSED`; a format says it where not all its records of one event agree in the usual
:data:`SAME_EVENT`. With ``IN_STAGES = True`` an event makes several records, of which each has a
precedence of its own and perhaps a time of its own: the first of each precedence belong together,
then the second.

Everything runs in the engine; there is no Python for each record.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from jobs.stages.ingest.formats import (
    aws_cloudtrail,
    aws_s3_access,
    azure_storage,
    gcp_audit,
    github_audit,
    gitlab_audit,
    kubernetes_audit,
    litellm_gateway,
    mapped,
    minio_audit,
    slurm_sacct,
    sshd,
)

MODULES: dict[str, ModuleType] = {
    "aws_cloudtrail": aws_cloudtrail,
    "aws_s3_access": aws_s3_access,
    "azure_storage": azure_storage,
    "gcp_audit": gcp_audit,
    "github_audit": github_audit,
    "gitlab_audit": gitlab_audit,
    "kubernetes_audit": kubernetes_audit,
    "litellm_gateway": litellm_gateway,
    "mapped": mapped,
    "minio_audit": minio_audit,
    "slurm_sacct": slurm_sacct,
    "sshd": sshd,
}
"""The module of each format, by its id."""


def format_module(format_id: str) -> ModuleType:
    """The module of a format; the config has already refused unknown ids."""
    return MODULES[format_id]


def wrapper_of(members: Iterable[str], module: ModuleType) -> str | None:
    """What a record with these members comes in; None if it stands alone.

    One that stands alone may have a member, say ``message``, that others are wrapped in.
    """
    names = tuple(members) if hasattr(module, "WRAPPERS") else ()
    if not names or module.ALONE in names:
        return None
    return next((name for name in names if name in module.WRAPPERS), None)
