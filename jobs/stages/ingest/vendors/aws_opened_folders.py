"""Which folder of its bucket a rule of replication or a policy opens, from the call's parameters.

A call names one folder if all its rules or statements do. Several folders, a rule without any, and
texts that are not understood mean the whole bucket: nobody hides an asset by naming another one.
"""

from __future__ import annotations

from jobs.stages.ingest.vendors.aws_openings import POLICY_TEXT, REPLICATION

# A name with a quotation mark or backslash stands in the text with a backslash.
PLAIN = "instr({text}, chr(92)) = 0"
PREFIXES = f'regexp_extract_all({REPLICATION}, \'"Prefix" *: *"([^"]*)"\', 1)'
TARGETS = f"regexp_extract_all({REPLICATION}, '\"Destination\" *:', 0)"
# Objects are never opened by the name of their bucket alone.
RESOURCES = (
    f"filter(regexp_extract_all({POLICY_TEXT}, ':s3:::([^\"]*)', 1), n -> not n rlike '^[^/*?$]+$')"
)
UP_TO_WILDCARD = "([^*?$]*/)"


def _one_folder(names: str, pattern: str) -> str:
    """SQL of the folder in which all names lie, null if there are several or none."""
    folders = f"array_distinct(transform({names}, n -> regexp_extract(n, '{pattern}', 1)))"
    return f"case when size({folders}) = 1 then nullif(get({folders}, 0), '') end"


OPENED_FOLDER = f"""case
    when verb = 'PutBucketReplication' and {PLAIN.format(text=REPLICATION)}
    and size({PREFIXES}) >= size({TARGETS}) then {_one_folder(PREFIXES, "^" + UP_TO_WILDCARD)}
    when verb = 'PutBucketPolicy' and {PLAIN.format(text=POLICY_TEXT)}
    and not {POLICY_TEXT} rlike '\"[*]\"|NotResource'
    then {_one_folder(RESOURCES, "^[^/*?$]+/" + UP_TO_WILDCARD)} end"""
"""SQL of the folder, with a slash at its end; null for the whole bucket."""
