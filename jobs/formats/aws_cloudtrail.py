"""CloudTrail records: management events and S3 data events.

Traps handled here: the person of a role session is in the session name, not in ``userName``; a
server-side copy answers with a few hundred bytes although the whole object moved, so its bytes are
unknown; a DNS name of an AWS service may stand for the address; Logstash copies carry
``@timestamp`` in place of ``eventTime``; bytes may be a float.
"""

from __future__ import annotations

from jobs.formats import (
    ADDRESS,
    NO_TEXT,
    byte_count,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    url_decoded,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES = ("Records",)
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
COPY_SOURCE = url_decoded(
    f"replace(regexp_replace(split_part({PARAMETERS}.`x-amz-copy-source`, '?', 1), '^/', ''), "
    "'+', '%2B')"
)
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
DESTINATION_ACCOUNT = (
    f"case when {IS_COPY} then get(filter(r.resources, x -> x.accountId is not null and "
    f"split_part(x.ARN, ':::', 2) = {PARAMETERS}.bucketName), 0).accountId end"
)

COLUMNS = {
    "event_id": "coalesce(nullif(r.eventID, ''), md5(concat_ws('|', r.eventTime, "
    "r.`@timestamp`, r.eventName, r.userIdentity.arn, r.requestParameters.bucketName, "
    "r.requestParameters.key, r.requestParameters.Range, r.sourceIPAddress)))",
    "event_time": f"coalesce({iso_time('r.eventTime')}, {iso_time('r.`@timestamp`')})",
    "principal": PRINCIPAL,
    "names": one_a_line(
        f"{IDENTITY}.sessionContext.sourceIdentity",
        f"{IDENTITY}.arn",
        SESSION_NAME,
        f"{IDENTITY}.userName",
        f"{IDENTITY}.onBehalfOf.userId",
        ROLE,
        f"case when {ROLE_SESSION} then substring_index({ROLE}, '/', -1) end",
        f"{IDENTITY}.invokedBy",
    ),
    "kind_hint": f"case when {IDENTITY}.type = 'AWSService' or ({IDENTITY}.type is null and "
    f"{IDENTITY}.invokedBy is not null) then 'service' end",
    "acting_as": f"case when {ROLE_SESSION} then {ROLE} end",
    "credential": f"nullif({IDENTITY}.accessKeyId, '')",
    "issued_credential": "case when r.errorCode is null and r.eventSource = 'sts.amazonaws.com' "
    "then r.responseElements.credentials.accessKeyId end",
    "action": "r.eventName",
    "action_class": class_of("r.eventName", S3_CLASSES, OTHER_CLASS),
    "resource": f"case when {IS_COPY} and {PARAMETERS}.`x-amz-copy-source` is not null "
    f"then concat('s3://', {COPY_SOURCE}) when {BUCKET} is not null then {OBJECT_URI} "
    f"else concat_ws('/', 'aws:/', {ACCOUNT}, {SERVICE}, "
    f"coalesce({PARAMETERS}.roleArn, get(r.resources, 0).ARN)) end",
    "object": NO_TEXT,
    "destination": f"case when {IS_COPY} then {OBJECT_URI} end",
    "bytes_out": "case when r.eventName not in ('CopyObject', 'UploadPartCopy') then "
    f"{byte_count('r.additionalEventData.bytesTransferredOut')} end",
    "source_ip": f"case when r.sourceIPAddress rlike '{ADDRESS}' then r.sourceIPAddress end",
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": "case when nullif(r.errorCode, '') is null then 'success' else 'failure' end",
    "details": details_json(
        {
            "account": f"nullif({IDENTITY}.accountId, '')",
            "destination_account": DESTINATION_ACCOUNT,
            "error_code": "nullif(r.errorCode, '')",
            "identity_type": f"{IDENTITY}.type",
            "issued_credential": "case when r.eventSource = 'sts.amazonaws.com' then "
            "r.responseElements.credentials.accessKeyId end",
            "range": f"coalesce({PARAMETERS}.Range, {PARAMETERS}.`x-amz-copy-source-range`)",
            "recipient_account": "r.recipientAccountId",
            "region": "r.awsRegion",
            "service": SERVICE,
            "shared_event_id": "r.sharedEventID",
            "source_host": f"case when not r.sourceIPAddress rlike '{ADDRESS}' then "
            "nullif(r.sourceIPAddress, '') end",
            "source_identity": f"{IDENTITY}.sessionContext.sourceIdentity",
            "vpc_endpoint": "r.vpcEndpointId",
        }
    ),
    "precedence": "0",
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
