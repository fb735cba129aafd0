"""CloudTrail records: management events and S3 data events.

Traps handled here: the person of a role session is in the session name, not in ``userName``; a
server-side copy answers with a few hundred bytes although the whole object moved, so its bytes are
unknown; a DNS name of an AWS service may stand for the address; Logstash copies carry
``@timestamp`` in place of ``eventTime``; bytes may be a float; one action told to several accounts
makes records with one ``sharedEventID``, of which the one of the caller's account tells most.
"""

from __future__ import annotations

from jobs.formats import (
    NO_TEXT,
    Wrapper,
    address,
    byte_count,
    chosen,
    class_of,
    details_json,
    iso_time,
    of_account,
    one_a_line,
    url_decoded,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES = ("Records", "logEvents")
"""What CloudTrail delivers itself, and what CloudWatch Logs make of it."""
BATCHES = ("logEvents",)
KEEPS_TEXT = False

S3_CLASSES = {
    "read": "GetObject GetObjectTorrent SelectObjectContent",
    "list": "ListObjects ListObjectsV2 ListObjectVersions ListBuckets ListMultipartUploads "
    "ListParts ListDirectoryBuckets ListAccessPoints",
    "inspect": "HeadObject HeadBucket GetObjectAttributes GetObjectAcl GetObjectTagging "
    "GetBucketLocation",
    "write": "PutObject UploadPart CreateMultipartUpload CompleteMultipartUpload "
    "AbortMultipartUpload PutObjectTagging PostObject RestoreObject",
    "copy": "CopyObject UploadPartCopy",
    "delete": "DeleteObject DeleteObjects DeleteBucket DeleteObjectTagging",
    "share": "PutBucketPolicy PutBucketAcl PutObjectAcl PutBucketReplication "
    "CreateAccessPoint PutAccessPointPolicy PutBucketPublicAccessBlock "
    "DeletePublicAccessBlock DeleteBucketPublicAccessBlock PutBucketWebsite "
    "ModifySnapshotAttribute ModifyImageAttribute ModifyDBSnapshotAttribute SharedSnapshotCopy",
    "assume": "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity GetSessionToken "
    "GetFederationToken",
    "sign_in": "ConsoleLogin SwitchRole Authenticate Federate",
}
# Verbs not listed above: a read-only one looks (Describe*, Get*) or lists, any other changes.
OTHER_CLASS = """case
    when r.eventName like 'List%' then 'list'
    when cast(r.readOnly as string) = 'true'
      or r.eventName rlike '^(Get|Describe|Head|Lookup|Batch[GD]e[ts])'
      then 'inspect'
    else 'admin' end"""

IDENTITY = "r.userIdentity"
PARAMETERS = "r.requestParameters"
BUCKET = f"nullif({PARAMETERS}.bucketName, '')"
SERVICE = "substring_index(r.eventSource, '.', 1)"
ACCOUNT = f"coalesce(nullif(r.recipientAccountId, ''), nullif({IDENTITY}.accountId, ''), '-')"
IS_COPY = f"(r.eventName in ('CopyObject', 'UploadPartCopy') and {BUCKET} is not null)"
# `/bucket/key?versionId=…`, percent-encoded once; `+` is a plain plus sign in this header.
COPY_SOURCE = (
    "nullif(regexp_replace("
    + url_decoded(f"replace(split_part({PARAMETERS}.`x-amz-copy-source`, '?', 1), '+', '%2B')")
    + ", '^/', ''), '')"
)
# `resources` holds both objects of a copy and both buckets, in any order.
NAME = "regexp_replace(x.ARN, '^arn:[^:]*:s3:::', '')"
OTHER_OBJECT = (
    f"get(transform(filter(r.resources, x -> {NAME} like '%/%' and "
    f"{NAME} <> concat_ws('/', {PARAMETERS}.bucketName, {PARAMETERS}.key)), x -> {NAME}), 0)"
)
SOURCE = f"coalesce({COPY_SOURCE}, {OTHER_OBJECT})"
OBJECT_URI = f"concat_ws('/', 's3:/', {BUCKET}, nullif({PARAMETERS}.key, ''))"
ROLE_SESSION = f"({IDENTITY}.type = 'AssumedRole')"
SESSION = f"({IDENTITY}.type in ('AssumedRole', 'FederatedUser'))"
SESSION_NAME = f"case when {SESSION} then substring_index({IDENTITY}.arn, '/', -1) end"
ROLE = f"nullif({IDENTITY}.sessionContext.sessionIssuer.arn, '')"
PRINCIPAL = (
    f"coalesce(nullif({IDENTITY}.arn, ''), nullif({IDENTITY}.userName, ''), "
    f"nullif({IDENTITY}.onBehalfOf.userId, ''), nullif({IDENTITY}.principalId, ''), "
    f"nullif({IDENTITY}.invokedBy, ''), nullif({IDENTITY}.accountId, ''), 'anonymous')"
)


def _owner(bucket: str) -> str:
    """SQL of the account that a copy's bucket belongs to, where the record says so."""
    return (
        f"case when {IS_COPY} then get(filter(r.resources, x -> x.accountId is not null and "
        f"{NAME} = {bucket}), 0).accountId end"
    )


# Of the records of one action, which differ in their eventID.
SHARED = "nullif(r.sharedEventID, '')"

# Of the records of one action only that of the caller's own account names the caller, and each has
# a resource of its account.
IS_SHARED = """details like '%"shared_event_id":%'"""
SAME_EVENT = (
    f"if({IS_SHARED}, '', principal)",
    "action",
    f"if({IS_SHARED}, '', resource)",
    "unix_seconds(event_time)",
)

COLUMNS = {
    "event_id": f"coalesce({SHARED}, nullif(r.eventID, ''), md5(concat_ws('|', r.eventTime, "
    "r.`@timestamp`, r.eventName, r.userIdentity.arn, r.requestParameters.bucketName, "
    "r.requestParameters.key, r.requestParameters.Range, r.sourceIPAddress)))",
    "event_time": f"coalesce({iso_time('r.eventTime')}, {iso_time('r.`@timestamp`')})",
    "principal": PRINCIPAL,
    "names": one_a_line(
        chosen(f"{IDENTITY}.sessionContext.sourceIdentity"),
        f"{IDENTITY}.arn",
        chosen(SESSION_NAME),
        f"{IDENTITY}.userName",
        f"{IDENTITY}.onBehalfOf.userId",
        ROLE,
        f"case when {ROLE_SESSION} then substring_index({ROLE}, '/', -1) end",
        f"{IDENTITY}.invokedBy",
        of_account(f"{IDENTITY}.accountId"),
    ),
    "kind_hint": f"case when {IDENTITY}.type = 'AWSService' or ({IDENTITY}.type is null and "
    f"{IDENTITY}.invokedBy is not null) then 'service' end",
    "acting_as": f"case when {ROLE_SESSION} then {ROLE} end",
    "credential": f"nullif({IDENTITY}.accessKeyId, '')",
    "issued_credential": "case when r.errorCode is null and r.eventSource = 'sts.amazonaws.com' "
    "then r.responseElements.credentials.accessKeyId end",
    "action": "r.eventName",
    "action_class": class_of("r.eventName", S3_CLASSES, OTHER_CLASS),
    "resource": f"case when {IS_COPY} then coalesce(concat('s3://', {SOURCE}), {OBJECT_URI}) "
    f"when {BUCKET} is not null then {OBJECT_URI} "
    f"else concat_ws('/', 'aws:/', {ACCOUNT}, {SERVICE}, "
    f"coalesce({PARAMETERS}.roleArn, get(r.resources, 0).ARN)) end",
    "object": NO_TEXT,
    "destination": f"case when {IS_COPY} then {OBJECT_URI} end",
    "bytes_out": "case when r.eventName not in ('CopyObject', 'UploadPartCopy') then "
    f"{byte_count('r.additionalEventData.bytesTransferredOut')} end",
    "source_ip": address("r.sourceIPAddress"),
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": "case when nullif(r.errorCode, '') is null then 'success' else 'failure' end",
    "details": details_json(
        {
            "account": f"nullif({IDENTITY}.accountId, '')",
            "destination_account": _owner(f"{PARAMETERS}.bucketName"),
            "error_code": "nullif(r.errorCode, '')",
            "identity_type": f"{IDENTITY}.type",
            "issued_credential": "case when r.eventSource = 'sts.amazonaws.com' then "
            "r.responseElements.credentials.accessKeyId end",
            "range": f"coalesce({PARAMETERS}.Range, {PARAMETERS}.`x-amz-copy-source-range`)",
            "recipient_account": "r.recipientAccountId",
            "region": "r.awsRegion",
            # S3's own access log tells the same request by this.
            "request_id": "case when r.eventSource = 's3.amazonaws.com' "
            "then nullif(r.requestID, '') end",
            "service": SERVICE,
            "shared_event_id": SHARED,
            "source_account": _owner(f"split_part({SOURCE}, '/', 1)"),
            "source_host": f"case when {address('r.sourceIPAddress')} is null then "
            "nullif(r.sourceIPAddress, '') end",
            "source_identity": f"{IDENTITY}.sessionContext.sourceIdentity",
            "vendor_event_id": f"case when {SHARED} <> r.eventID then nullif(r.eventID, '') end",
            "vpc_endpoint": "r.vpcEndpointId",
        }
    ),
    "precedence": f"case when {SHARED} is not null and {IDENTITY}.accountId = r.recipientAccountId "
    "then 1 else 0 end",
    "problem": "case when r.eventName is null then 'no eventName' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("aws_cloudtrail").used)
READER_TYPE = RECORD_TYPE.replace(
    "`bytesTransferredOut`:string", "`bytesTransferredOut`:double"
).replace("`readOnly`:string", "`readOnly`:boolean")
"""The same with JSON's own types, for engines' JSON readers, which do not make text of numbers."""

ALONE = "eventName"
WRAPPERS = {
    # EventBridge's events, of which a bus may carry others.
    "detail": Wrapper(
        "detail",
        f"struct<`detail-type`:string,`detail`:{RECORD_TYPE}>",
        "e.detail",
        fault="case when e.`detail-type` not like '% via CloudTrail' "
        "then concat('an event of EventBridge that is no record but: ', e.`detail-type`) end",
    ),
    # Log events of CloudWatch, as subscriptions and as queries write them.
    "message": Wrapper("message", "struct<`message`:string>", "e.message", as_text=True),
    "@message": Wrapper("@message", "struct<`@message`:string>", "e.`@message`", as_text=True),
}
