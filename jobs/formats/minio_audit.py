"""MinIO audit entries.

Traps handled here: the time is when the answer was finished, so how long it took is taken off;
``tx`` is -1 where unknown, and ``rx`` counts what signing adds; keys of service accounts and of
sessions have a parent, and those of people who signed in elsewhere have claims; a deletion may
name many objects; names are not percent-encoded, but a copy's source is; what the server does by
itself has another trigger and no address.
"""

from __future__ import annotations

from jobs.formats import (
    NO_TEXT,
    address,
    byte_count,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    url_decoded,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES: tuple[str, ...] = ()
KEEPS_TEXT = False

CLASSES = {
    "read": "GetObject GetObjectLambda SelectObjectContent",
    "list": "ListBuckets ListObjectsV1 ListObjectsV2 ListObjectsV2M ListObjectVersions "
    "ListObjectVersionsM ListMultipartUploads ListObjectParts",
    "write": "PutObject PutObjectPart PutObjectExtract NewMultipartUpload CompleteMultipartUpload "
    "AbortMultipartUpload PostPolicyBucket PutObjectTagging PutObjectRetention PostRestoreObject",
    "copy": "CopyObject CopyObjectPart",
    "delete": "DeleteObject DeleteMultipleObjects DeleteBucket ForceDeleteBucket "
    "DeleteObjectTagging",
    "share": "PutBucketPolicy PutBucketACL PutObjectACL PutBucketReplicationConfig "
    "SetRemoteTarget SiteReplicationAdd",
}
OTHER_CLASS = """case
    when {action} like 'AssumeRole%' then 'assume'
    when {action} like 'List%' then 'list'
    when {action} like 'Get%' or {action} like 'Head%' then 'inspect'
    when coalesce(r.trigger, 'incoming') <> 'incoming' then 'other'
    else 'admin' end"""

ACTION = "coalesce(nullif(r.api.name, ''), nullif(r.event, ''))"
CLAIMS = "r.requestClaims"
KEY = f"coalesce(nullif(r.accessKey, ''), nullif({CLAIMS}.accessKey, ''))"
PARENT = f"coalesce(nullif(r.parentUser, ''), nullif({CLAIMS}.parent, ''))"
PERSON = (
    f"coalesce(nullif({CLAIMS}.preferred_username, ''), nullif({CLAIMS}.ldapUsername, ''), "
    f"nullif({CLAIMS}.email, ''))"
)
OF_SERVER = "coalesce(nullif(r.trigger, ''), 'incoming') <> 'incoming'"
OBJECT = (
    "concat_ws('/', 'minio:/', coalesce(nullif(r.api.bucket, ''), '-'), nullif(r.api.object, ''))"
)
IS_COPY = f"{ACTION} in ('CopyObject', 'CopyObjectPart')"
COPY_HEADER = "nullif(r.requestHeader.`X-Amz-Copy-Source`, '')"
# `/bucket/key?versionId=…`, percent-encoded once; `+` is a plain plus sign in this header.
COPY_SOURCE = url_decoded(
    f"replace(regexp_replace(split_part({COPY_HEADER}, '?', 1), '^/', ''), '+', '%2B')"
)
NANOSECONDS = (
    "coalesce(try_cast(regexp_extract("
    "coalesce(nullif(r.api.timeToResponseInNS, ''), r.api.timeToResponse), "
    "'^([0-9]+)(?:ns)?$', 1) as bigint), 0)"
)
STATUS = "try_cast(r.api.statusCode as int)"

COLUMNS = {
    "event_id": "case when nullif(r.requestID, '') is not null "
    "then concat_ws('/', nullif(r.deploymentid, ''), r.requestID) else md5(concat_ws('|', "
    f"r.deploymentid, r.time, {ACTION}, r.trigger, r.api.bucket, r.api.object, {KEY}, "
    "r.remotehost)) end",
    "event_time": f"timestamp_micros(unix_micros({iso_time('r.time')}) "
    f"- cast(floor({NANOSECONDS} / 1000) as bigint))",
    "principal": f"coalesce({PERSON}, {PARENT}, {KEY}, "
    f"case when {OF_SERVER} then concat('minio:', r.trigger) end, 'anonymous')",
    "names": one_a_line(
        f"{CLAIMS}.preferred_username",
        f"{CLAIMS}.email",
        f"{CLAIMS}.ldapUsername",
        f"{CLAIMS}.sub",
        PARENT,
        KEY,
    ),
    "kind_hint": f"case when {OF_SERVER} then 'service' end",
    # A service account acts for its parent; the key of a session, which ends, is nobody's name.
    "acting_as": f"case when {CLAIMS}.exp is null and {KEY} <> {PARENT} then {KEY} end",
    "credential": KEY,
    "issued_credential": NO_TEXT,
    "action": ACTION,
    "action_class": class_of(ACTION, CLASSES, OTHER_CLASS.replace("{action}", ACTION)),
    "resource": f"case when {IS_COPY} and {COPY_HEADER} is not null "
    f"then concat('minio://', {COPY_SOURCE}) else {OBJECT} end",
    "object": NO_TEXT,
    "destination": f"case when {IS_COPY} then {OBJECT} end",
    # A copy moves the object's size, not the answer's.
    "bytes_out": f"case when not coalesce({IS_COPY}, false) and not {OF_SERVER} "
    f"then {byte_count('r.api.tx')} end",
    "source_ip": address("r.remotehost"),
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": f"case when {STATUS} >= 400 then 'failure' when {STATUS} > 0 then 'success' "
    "when nullif(r.error, '') is not null then 'failure' else 'unknown' end",
    "details": details_json(
        {
            "deployment": "nullif(r.deploymentid, '')",
            "error": "nullif(r.error, '')",
            "objects": "nullif(array_join(slice(transform(r.api.objects, "
            "x -> x.objectName), 1, 20), '\\n'), '')",
            "objects_count": "case when size(r.api.objects) > 0 "
            "then cast(size(r.api.objects) as string) end",
            "parent_user": PARENT,
            "range": "coalesce(nullif(r.requestHeader.Range, ''), "
            "nullif(r.requestHeader.`X-Amz-Copy-Source-Range`, ''))",
            "status": "nullif(r.api.status, '')",
            "status_code": "nullif(r.api.statusCode, '')",
            "subject": f"nullif({CLAIMS}.sub, '')",
            "trigger": f"case when {OF_SERVER} then r.trigger end",
        }
    ),
    "precedence": "0",
    "problem": f"case when {ACTION} is null then 'no api.name' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("minio_audit").used)
