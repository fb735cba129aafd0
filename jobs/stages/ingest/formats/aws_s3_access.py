"""Lines of S3 server access logs.

Traps handled here:

- AWS adds fields at the end from time to time. So a line is read from the left and may have more or
  fewer fields than today's.
- CloudFront's origin access identities have spaces in their ARN, which is not quoted.
- The request line, the referrer and the user agent are quoted, except a lone ``-``. The caller may
  send quotes in them.
- ``-`` stands for zero bytes. Keys are percent-encoded, spaces as ``+``.
- A copy makes one line for its source and one for its destination.
- The request line of a presigned URL holds its signature and is not kept.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import LogFormat, TextRows
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    byte_count,
    class_of,
    details_json,
    iso_time,
    month_number,
    one_a_line,
    quoted,
    unknown_action,
    url_decoded,
)
from schemas.sources import Source

LEADING = ("bucket_owner", "bucket", "day_and_time", "offset", "remote_ip")
FIGURES = ("http_status", "error_code", "bytes_sent", "object_size")
TRAILING = {
    "version_id": 0,
    "authentication_type": 4,
    "access_point_arn": 7,
    "acl_required": 8,
}
NUMBER = "(?:[0-9]+|-)"
OPERATION = "(?:[A-Z0-9]+(?:[.][A-Za-z0-9_-]+)+|-)"
# The requester may hold spaces; it ends before one word and an operation. The key may hold spaces
# too; it ends before the request line. The request line ends before a status and five fields
# without quotes. Of the two quoted texts after them the second one takes all quotes that are left:
# nothing quoted comes after it.
LINE = (
    f'(?s)^((?:[^ ]+ ){{{len(LEADING)}}})([^ ]+(?: [^ "]+)*?) ([^ ]+) ({OPERATION}) '
    '([^ ]+(?: [^ "]+)*?) (".*?"|-) '
    f"((?:[0-9]{{3}}|-) [^ ]+ {NUMBER} {NUMBER} {NUMBER} {NUMBER}) "
    '(?:".*?"|-) (".*"|-) ([^ ])'
)
PARTS = ("leading", "requester", "request_id", "operation", "key", "request", "figures", "agent")
"""Names of the parts of a line, before its tail."""
WORDS = ("leading", "figures", "tail")
"""Parts that are split at spaces."""
BREAK = "\x1f"
"""Separator between the parts of a split line; no request can hold it."""

SETTINGS = (
    "ACCELERATE ANALYTICS BUCKET CORS ENCRYPTION INTELLIGENT_TIERING INVENTORY LIFECYCLE LOGGING "
    "LOGGING_STATUS METADATA_CONFIGURATION METADATA_TABLE METRICS NOTIFICATION OBJECT_LOCK "
    "OBJECT_LOCK_CONFIGURATION OWNERSHIP_CONTROLS REQUEST_PAYMENT TAGGING VERSIONING"
)
"""Resource types of a bucket's settings that only its owner's administrators change."""
CLASSES = {
    "read": "REST.GET.OBJECT REST.GET.OBJECT_TORRENT REST.GET.TORRENT WEBSITE.GET.OBJECT "
    "REST.SELECT.OBJECT REST.POST.SELECT REST.POST.OBJECT_SELECT SOAP.GetObject "
    "SOAP.GetObjectExtended",
    "list": "REST.GET.BUCKET REST.GET.BUCKETVERSIONS REST.GET.SERVICE REST.GET.UPLOADS "
    "REST.GET.UPLOAD SOAP.ListBucket SOAP.ListAllMyBuckets",
    "inspect": "SOAP.GetBucketAccessControlPolicy SOAP.GetObjectAccessControlPolicy "
    "SOAP.GetBucketLoggingStatus",
    # The line of a copy's source. The line of its destination is a write.
    "copy": "REST.COPY.OBJECT_GET REST.COPY.PART_GET",
    "write": "REST.PUT.OBJECT REST.POST.OBJECT REST.PUT.PART REST.POST.UPLOADS REST.POST.UPLOAD "
    "REST.COPY.OBJECT REST.COPY.PART REST.PUT.COPY REST.PUT.OBJECT_TAGGING REST.POST.RESTORE "
    "REST.POST.OBJECT_RESTORE REST.PUT.OBJECT_RETENTION REST.PUT.RETENTION "
    "REST.PUT.OBJECT_LEGAL_HOLD REST.PUT.LEGAL_HOLD REST.PUT.OBJECT_RENAME SOAP.PutObject "
    "SOAP.PutObjectInline SOAP.CopyObject S3.RESTORE.OBJECT",
    "delete": "REST.DELETE.OBJECT REST.DELETE.BUCKET REST.DELETE.UPLOAD BATCH.DELETE.OBJECT "
    "REST.POST.MULTI_OBJECT_DELETE REST.DELETE.OBJECT_TAGGING S3.EXPIRE.OBJECT "
    "S3.CREATE.DELETEMARKER S3.DELETE.UPLOAD SOAP.DeleteObject SOAP.DeleteBucket",
    "share": "REST.PUT.ACL REST.PUT.OBJECT_ACL REST.PUT.BUCKETPOLICY REST.PUT.REPLICATION "
    "REST.PUT.WEBSITE REST.PUT.PUBLIC_ACCESS_BLOCK REST.DELETE.PUBLIC_ACCESS_BLOCK "
    # Access lists that did not count before count from now on.
    "REST.DELETE.OWNERSHIP_CONTROLS "
    "SOAP.SetBucketAccessControlPolicy SOAP.SetObjectAccessControlPolicy",
    "admin": " ".join(
        f"REST.{method}.{kind}"
        for kind in SETTINGS.split()
        for method in ("PUT", "POST", "DELETE")
        if (method, kind) not in (("DELETE", "BUCKET"), ("DELETE", "OWNERSHIP_CONTROLS"))
    )
    + " REST.DELETE.BUCKETPOLICY REST.DELETE.REPLICATION REST.DELETE.WEBSITE SOAP.CreateBucket "
    "SOAP.SetBucketLoggingStatus",
}
LOOKS = quoted("^(REST|WEBSITE)[.](GET|HEAD|OPTIONS)[.]")
# The vendor moves objects between its storage classes.
MOVES = "'S3.TRANSITION%'"
OTHER_CLASS = f"case when r.operation rlike {LOOKS} then 'inspect' else 'other' end"
# `[06/Feb/2019:00:00:38` and `+0000]`
TIME_PATTERN = quoted(
    r"^\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\]$"
)
ISO_TIME = (
    "concat(substring(r.time, 9, 4), '-', "
    f"lpad(cast({month_number('substring(r.time, 5, 3)')} as string), 2, '0'), '-', "
    "substring(r.time, 2, 2), 'T', "
    "substring(r.time, 14, 8), substring(r.time, 23, 3), ':', substring(r.time, 26, 2))"
)

IS_ROLE = "coalesce(r.requester rlike '^arn:[^:]+:sts::[0-9]*:assumed-role/[^/]+/', false)"
ROLE_NAME = f"case when {IS_ROLE} then get(split(r.requester, '/'), 1) end"
# The log does not have the role's path.
ROLE = (
    f"case when {IS_ROLE} then concat(replace(substring_index(r.requester, ':assumed-role/', 1), "
    f"':sts:', ':iam:'), ':role/', {ROLE_NAME}) end"
)
LAST_NAME = (
    "case when r.requester rlike '^arn:.*:(assumed-role|federated-user|user)/' "
    "then substring_index(r.requester, '/', -1) end"
)
# Principals of AWS services. Identities of CloudFront are in the account `cloudfront`.
SERVICES = quoted(
    "^(svc:.*|([a-z0-9-]+[.])+amazonaws[.]com([.]cn)?|AmazonS3|arn:[^:]+:iam::cloudfront:user/.*)$"
)
KEY = "decoded_key"
CLASS = "class"
DERIVED = (
    {
        KEY: url_decoded("r.key"),
        CLASS: class_of("r.operation", CLASSES, OTHER_CLASS),
        "unknown_operation": f"case when r.operation rlike {LOOKS} or r.operation like {MOVES} "
        f"then null else {unknown_action('r.operation', CLASSES)} end",
        "caller_address": address("r.remote_ip"),
    },
)
STATUS = "try_cast(r.http_status as int)"
# A request may make several lines; each has its own operation or its own key.
MANY_KEYS = "r.operation like 'BATCH.%' or r.operation like 'S3.%'"


def is_json(head: str, source: Source) -> bool:
    """No: the JSON form that CloudWatch delivers is another format."""
    return False


def header_problem(header: str, source: Source) -> str | None:
    """No line names columns."""
    return None


def parts(line: str, header: str, source: Source) -> str:
    """SQL of an array of the parts of a line; for other text the text alone."""
    # The pattern ends before the tail: every matched character costs engines time.
    kept = BREAK.join(f"${n + 1}" for n in range(len(PARTS) + 1))
    whole = f"replace({line}, {quoted(BREAK)}, '\ufffd')"
    return f"split(regexp_replace({whole}, {quoted(LINE)}, {quoted(kept)}), {quoted(BREAK)})"


def joined_parts(line: str, header: str, source: Source) -> str:
    """SQL of a struct of the parts of a line; the parts in ``WORDS`` are arrays of words."""
    members = {name: f"get(parts, {place})" for place, name in enumerate((*PARTS, "tail"))}
    members |= {name: f"split({members[name]}, ' ')" for name in WORDS}
    return f"named_struct({', '.join(f'{quoted(name)}, {sql}' for name, sql in members.items())})"


def record(line: str, header: str, source: Source) -> str:
    """SQL of the record struct from a line in column ``line``; ``-`` becomes null."""
    leading = {name: f"get(parts.leading, {place})" for place, name in enumerate(LEADING)}
    figures = {name: f"get(parts.figures, {place})" for place, name in enumerate(FIGURES)}
    trailing = {name: f"get(parts.tail, {place})" for name, place in TRAILING.items()}
    day_and_time, offset = leading.pop("day_and_time"), leading.pop("offset")
    values = {
        **leading,
        **{name: f"parts.{name}" for name in ("requester", "request_id", "operation", "key")},
        "time": f"concat({day_and_time}, ' ', {offset})",
        "request_uri": "parts.request",
        **figures,
        "user_agent": "replace(substring(parts.agent, 2, greatest(length(parts.agent) - 2, 0)), "
        f"{quoted(chr(92) + chr(34))}, {quoted(chr(34))})",
        **trailing,
    }
    fields = (f"{quoted(name)}, nullif(nullif({value}, '-'), '')" for name, value in values.items())
    return f"named_struct({', '.join(fields)})"


def fault(line: str, header: str, source: Source) -> str:
    """SQL of why a line is not one of a server access log; null if it is one."""
    return (
        "case when parts.tail is null then 'not a line of an S3 server access log "
        "(18 fields or more, three of them quoted, are expected)' end"
    )


COLUMNS = {
    "event_id": "case when r.request_id is null then md5(raw) else concat_ws('/', r.request_id, "
    f"r.operation, case when {MANY_KEYS} then concat_ws('/', r.key, r.version_id) end) end",
    "event_time": f"case when r.time rlike {TIME_PATTERN} then {iso_time(ISO_TIME)} end",
    "principal": "coalesce(r.requester, 'anonymous')",
    "names": one_a_line("r.requester", LAST_NAME, ROLE, ROLE_NAME),
    "kind_hint": f"case when r.requester rlike {SERVICES} then 'service' end",
    "acting_as": ROLE,
    # The key that signed a presigned URL; the log has no other keys.
    "credential": "nullif(regexp_extract(r.request_uri, "
    "'[?&](?:X-Amz-Credential|AWSAccessKeyId)=([A-Za-z0-9]+)', 1), '')",
    "issued_credential": NO_TEXT,
    "action": "r.operation",
    "action_class": CLASS,
    "resource": f"concat_ws('/', 's3:/', coalesce(r.bucket, '-'), {KEY})",
    "object": NO_TEXT,
    # The log has no bodies, so it tells of no grantee.
    "destination": f"case when {CLASS} = 'share' then case "
    "when r.operation = 'REST.DELETE.PUBLIC_ACCESS_BLOCK' then 'public://all' "
    "when r.operation = 'REST.PUT.WEBSITE' then 'link://website' "
    "else concat('unknown://', r.operation) end end",
    # A copy moves the object's size, which is not traffic. Without a status there was no answer.
    "bytes_out": f"case when r.http_status is not null and {CLASS} <> 'copy' "
    f"then coalesce({byte_count('r.bytes_sent')}, 0) end",
    "source_ip": "caller_address",
    "user_agent": "r.user_agent",
    # A status 200 may have been sent before an error. A redirection with an error is no answer.
    "outcome": f"case when {STATUS} >= 400 or coalesce(r.error_code, 'NotModified') "
    f"<> 'NotModified' then 'failure' when {STATUS} >= 200 then 'success' else 'unknown' end",
    "details": details_json(
        {
            "access_point": "r.access_point_arn",
            "account": "nullif(regexp_extract(r.requester, "
            "'^arn:[^:]+:[^:]+:[^:]*:([0-9]+):', 1), '')",
            "acl_required": "r.acl_required",
            "authentication": "r.authentication_type",
            "bucket_owner": "r.bucket_owner",
            "error_code": "r.error_code",
            "logged_key": f"case when r.key <> {KEY} then r.key end",
            "object_size": "r.object_size",
            "request_id": "r.request_id",
            "source_host": "case when caller_address is null then r.remote_ip end",
            "status_code": "r.http_status",
            UNKNOWN_ACTION: "unknown_operation",
            "version_id": "r.version_id",
        }
    ),
    "precedence": "0",
    "problem": NO_TEXT,
}

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    text=TextRows(
        record=record,
        fault=fault,
        is_json=is_json,
        header_problem=header_problem,
        headerless=True,
        parts=parts,
        joined_parts=joined_parts,
    ),
    keeps_text=True,
    derived=DERIVED,
)
