"""CloudTrail records: management events and S3 data events.

Traps handled here:

- The person of a role session is in the session name, not in ``userName``.
- A server-side copy answers with a few hundred bytes although the whole object moved, so its bytes
  are unknown.
- The DNS name of an AWS service may stand in place of the address.
- Logstash copies carry ``@timestamp`` in place of ``eventTime``. Bytes may be a float.
- An action that concerns several accounts makes a record in each, with one ``sharedEventID``. The
  record of the caller's account has the most details.
- A failed sign-in has no error code; its result is in a field of its own. The vendor documents only
  for API calls that a record without an error is a success.
- A record may lack any part of the identity. An identity without a type is not a service's.
- A request through an access point names that in place of the bucket.
- An upload or a new role may open something too, by its ACL or its policy.
"""

from __future__ import annotations

from functools import reduce

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat, Wrapper
from jobs.stages.ingest.vendors.aws_actions import CLASSES
from jobs.stages.ingest.vendors.aws_copies import COPIED_TO
from jobs.stages.ingest.vendors.aws_log_changes import LOG_CHANGE
from jobs.stages.ingest.vendors.aws_opened_folders import OPENED_FOLDER
from jobs.stages.ingest.vendors.aws_openings import (
    GRANTEES,
    OPENED_BUCKET,
    OPENED_TO,
    openings,
)
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    byte_count,
    chosen,
    class_of,
    details_json,
    iso_time,
    of_account,
    one_a_line,
    quoted,
    url_decoded,
)
from schemas.formats.field_map import field_map, record_type

MESSAGE_CHARS = 200
"""Characters of an error message that are kept."""

STATED_RESULTS = (
    "responseElements.ConsoleLogin",
    "responseElements.CheckMfa",
    "responseElements.SwitchRole",
    "responseElements.ExitRole",
    "responseElements.RenewRole",
    "responseElements.GetSigninToken",
    "responseElements.ExternalIdPDirectoryLogin",
    "responseElements.PasswordRecoveryRequested",
    "responseElements.PasswordRecoveryCompleted",
    *(
        f"{holder}.{name}"
        for holder in ("responseElements", "serviceEventDetails", "additionalEventData")
        for name in ("CredentialChallenge", "CredentialVerification", "UserAuthentication")
    ),
    "serviceEventDetails.state",
    "serviceEventDetails.status",
    "responseElements._return",
    "responseElements.success",
)
"""Fields with the result of an action, in words or as true and false."""
RESULT = (
    "coalesce("
    + ", ".join(f"nullif(cast(r.{field} as string), '')" for field in STATED_RESULTS)
    + ")"
)
SUCCEEDED = ("success", "succeeded", "successful", "complete", "completed", "true")
FAILED = ("failure", "failed", "denied", "error", "aborted", "expired", "cancelled", "false")
# Statements of the record about its verb.
READS = "lower(cast(r.readOnly as string)) = 'true'"
CHANGES = "lower(cast(r.readOnly as string)) = 'false'"
IS_DATA = "(r.eventCategory = 'Data' or lower(cast(r.managementEvent as string)) = 'false')"
# Verbs that may open something: of administration, of copies, of jobs, and unknown ones.
CHANGED = (
    "(listed_class in ('admin', 'copy', 'submit') "
    f"or (listed_class is null and not looks and not coalesce({READS}, false)))"
)
# Lambda and CloudFront append the date of the API's version to the verb.
VERSION = "_?20[0-9]{2}_?[0-9]{2}_?[0-9]{2}(v[0-9]+)?$"
LOOKS = "^(List|Get|Describe|Head|Lookup|BatchGet|BatchDescribe)[A-Z]"
"""First words of verbs that only look, unless the record says that it changes something."""
# Verbs in no table: a data event that reads is a read, a management event that reads only inspects.
ACTION_CLASS = f"""coalesce(
    case when {GRANTEES} is not null then 'share' end, listed_class, case
    when looks and verb like 'List%' then 'list'
    when looks and verb rlike '^(Describe|Head|BatchDescribe)[A-Z]' then 'inspect'
    when (looks or {READS}) and {IS_DATA} then 'read'
    when looks or {READS} then 'inspect'
    else 'other' end)"""

IDENTITY = "r.userIdentity"
PARAMETERS = "r.requestParameters"
BUCKET = "bucket"
# Things that are shared by name.
SHARED_THING = (
    "coalesce("
    + ", ".join(
        f"nullif({PARAMETERS}.{name}, '')"
        for name in (
            "snapshotId",
            "imageId",
            "dBSnapshotIdentifier",
            "dBClusterSnapshotIdentifier",
            "repositoryName",
        )
    )
    + ")"
)
SERVICE = "substring_index(r.eventSource, '.', 1)"
ACCOUNT = f"coalesce(nullif(r.recipientAccountId, ''), nullif({IDENTITY}.accountId, ''), '-')"
UPLOADS = "'PutObject', 'UploadPart', 'CreateMultipartUpload', 'CompleteMultipartUpload'"
IS_COPY = f"(r.eventName in ('CopyObject', 'UploadPartCopy') and {BUCKET} is not null)"
# `/bucket/key?versionId=…`, percent-encoded once; `+` is a plain plus sign in this header.
COPY_SOURCE = (
    "nullif(regexp_replace("
    + url_decoded(f"replace(split_part({PARAMETERS}.`x-amz-copy-source`, '?', 1), '+', '%2B')")
    + ", '^/', ''), '')"
)
# `resources` holds both objects of a copy and both buckets, in any order; also the access point.
NAME = "regexp_replace(x.ARN, '^arn:[^:]*:s3:::', '')"
IS_OBJECT = "x.ARN rlike '^arn:[^:]*:s3:::[^/]+/'"
# Names of access points in place of a bucket: ARNs and aliases.
ACCESS_POINT = "rlike '^arn:|-s3alias(/|$)|--o[lp]-s3(/|$)|[.]mrap(/|$)'"
BY_ACCESS_POINT = (
    f"(coalesce({PARAMETERS}.bucketName {ACCESS_POINT}, false) "
    "or coalesce(exists(r.resources, x -> x.ARN like '%:accesspoint/%'), false))"
)
OF_OBJECT = (
    f"get(transform(filter(r.resources, x -> {IS_OBJECT} "
    f"and substring({NAME}, instr({NAME}, '/') + 1) = {PARAMETERS}.key "
    f"and {NAME} <> coalesce({COPY_SOURCE}, '')), x -> split_part({NAME}, '/', 1)), 0)"
)
ALONE = (
    "get(transform(filter(r.resources, x -> x.ARN rlike '^arn:[^:]*:s3:::[^/]+$'), "
    f"x -> {NAME}), 0)"
)
REAL_BUCKET = (
    f"coalesce(case when {BY_ACCESS_POINT} then coalesce({OF_OBJECT}, {ALONE}) end, "
    f"nullif({PARAMETERS}.bucketName, ''))"
)
OTHER_OBJECT = (
    f"get(transform(filter(r.resources, x -> {IS_OBJECT} and "
    f"{NAME} <> concat_ws('/', {BUCKET}, {PARAMETERS}.key)), x -> {NAME}), 0)"
)
SOURCE = (
    f"coalesce(case when not {COPY_SOURCE} {ACCESS_POINT} then {COPY_SOURCE} end, "
    f"{OTHER_OBJECT}, {COPY_SOURCE})"
)
OBJECT_URI = f"concat_ws('/', 's3:/', {BUCKET}, nullif({PARAMETERS}.key, ''))"
DERIVED = (
    {
        "bucket": REAL_BUCKET,
        "verb": "case when r.eventName like '%20%' then "
        f"regexp_replace(r.eventName, '{VERSION}', '') else r.eventName end",
    },
    {
        "listed_class": class_of("verb", CLASSES, NO_TEXT),
        "result": f"lower({RESULT})",
    },
    {
        "looks": "case when listed_class is null then "
        f"coalesce(verb rlike '{LOOKS}' and not coalesce({CHANGES}, false), false) end",
    },
    *openings(CHANGED),
)
# A record may lack the type and still hold the session's ARN.
SESSION_ARN = "^arn:[^:]+:sts::[0-9]*:"
ROLE_SESSION = (
    f"coalesce({IDENTITY}.type = 'AssumedRole' "
    f"or {IDENTITY}.arn rlike '{SESSION_ARN}assumed-role/', false)"
)
SESSION = (
    f"({ROLE_SESSION} or {IDENTITY}.type = 'FederatedUser' "
    f"or {IDENTITY}.arn rlike '{SESSION_ARN}federated-user/')"
)
SESSION_NAME = f"case when {SESSION} then substring_index({IDENTITY}.arn, '/', -1) end"
ROLE = f"nullif({IDENTITY}.sessionContext.sessionIssuer.arn, '')"
# The name typed at a sign-in, where the identity lacks it.
TYPED_NAME = "r.additionalEventData.UserName"
PRINCIPAL = (
    f"coalesce(nullif({IDENTITY}.arn, ''), nullif({IDENTITY}.userName, ''), "
    f"nullif({IDENTITY}.onBehalfOf.userId, ''), nullif({TYPED_NAME}, ''), "
    f"nullif({IDENTITY}.principalId, ''), {ROLE}, "
    f"nullif({IDENTITY}.invokedBy, ''), nullif({IDENTITY}.accountId, ''), 'anonymous')"
)
# Without a type it is a service only if the record names nothing but the invoking service.
IS_SERVICE = (
    f"{IDENTITY}.type = 'AWSService' or (nullif({IDENTITY}.type, '') is null "
    f"and {IDENTITY}.invokedBy rlike '^([a-z0-9-]+[.])+amazonaws[.]com([.]cn)?$' "
    f"and coalesce(nullif({IDENTITY}.arn, ''), nullif({IDENTITY}.userName, ''), "
    f"nullif({IDENTITY}.onBehalfOf.userId, ''), nullif({IDENTITY}.principalId, ''), {ROLE}) "
    "is null)"
)
# CloudTrail documents for API calls only that a record without an error is a success. Sign-ins and
# events of services may state their result. Records before version 1.02 have no eventType.
IS_API_CALL = (
    "case when nullif(r.eventType, '') is null then coalesce(listed_class, '') <> 'sign_in' "
    "else lower(r.eventType) = 'awsapicall' end"
)
RESPONSE = "r.responseElements"
NOTHING_DONE = (
    f"(size({RESPONSE}.failures) > 0 or size({RESPONSE}.errors) > 0) and not coalesce("
    + " or ".join(
        f"coalesce(size({RESPONSE}.{done}), 0) > 0"
        for done in ("deleted", "images", "imageIds", "tasks")
    )
    + ", false)"
)
HTTP_STATUS = "try_cast(r.additionalEventData.responseParameters.status as double)"
ERROR_CODE = "nullif(r.errorCode, '')"
OUTCOME = f"""case
    when {ERROR_CODE} is not null then 'failure'
    when result in ({", ".join(map(quoted, FAILED))}) then 'failure'
    when {NOTHING_DONE} then 'failure'
    when result in ({", ".join(map(quoted, SUCCEEDED))}) then 'success'
    when nullif(r.errorMessage, '') is not null or {HTTP_STATUS} >= 400 then 'failure'
    when {HTTP_STATUS} is not null or {IS_API_CALL} then 'success'
    else 'unknown' end"""


def _owner(bucket: str, condition: str = IS_COPY) -> str:
    """SQL of the account that a bucket belongs to, where the record says so, else null."""
    return (
        f"case when {condition} then get(filter(r.resources, x -> x.accountId is not null and "
        f"{NAME} = {bucket}), 0).accountId end"
    )


TARGET_OWNER = _owner(BUCKET, f"({IS_COPY} or verb in ({UPLOADS}))")
# Only for a bucket whose owner is told: a write needs no destination besides its own object.
IS_UPLOAD = f"(verb in ({UPLOADS}) and {TARGET_OWNER} is not null)"

# The id shared by the records of one action; their eventIDs differ.
SHARED = "nullif(r.sharedEventID, '')"

# Records of one action agree only in these columns. Only the record of the caller's account names
# the caller, and each record has a resource of its own account.
IS_SHARED = """details like '%"shared_event_id":%'"""
SAME_EVENT = (
    f"if({IS_SHARED}, '', principal)",
    "action",
    f"if({IS_SHARED}, '', resource)",
    "unix_seconds(event_time)",
)

COLUMNS = {
    "event_id": f"coalesce({SHARED}, nullif(r.eventID, ''), md5(concat_ws('|', r.eventTime, "
    f"r.`@timestamp`, r.eventSource, r.eventName, {PRINCIPAL}, r.requestID, "
    "r.requestParameters.bucketName, r.requestParameters.key, r.requestParameters.Range, "
    "r.sourceIPAddress)))",
    "event_time": f"coalesce({iso_time('r.eventTime')}, {iso_time('r.`@timestamp`')})",
    "principal": PRINCIPAL,
    "names": one_a_line(
        f"{IDENTITY}.arn",
        f"{IDENTITY}.userName",
        f"{IDENTITY}.onBehalfOf.userId",
        chosen(f"{IDENTITY}.sessionContext.sourceIdentity"),
        chosen(SESSION_NAME),
        chosen(TYPED_NAME),
        ROLE,
        f"case when {ROLE_SESSION} then substring_index({ROLE}, '/', -1) end",
        f"{IDENTITY}.invokedBy",
        of_account(f"{IDENTITY}.accountId"),
    ),
    "kind_hint": f"case when {IS_SERVICE} then 'service' end",
    "acting_as": f"case when {ROLE_SESSION} then {ROLE} end",
    "credential": f"coalesce(nullif({IDENTITY}.accessKeyId, ''), "
    f"nullif({IDENTITY}.credentialId, ''))",
    "issued_credential": f"case when {ERROR_CODE} is null and r.eventSource = 'sts.amazonaws.com' "
    "then r.responseElements.credentials.accessKeyId end",
    "action": "r.eventName",
    "action_class": ACTION_CLASS,
    "resource": f"case when {IS_COPY} then coalesce(concat('s3://', {SOURCE}), {OBJECT_URI}) "
    f"when {BUCKET} is not null then concat_ws('/', {OBJECT_URI}, {OPENED_FOLDER}) "
    f"when {OPENED_BUCKET} is not null then concat('s3://', {OPENED_BUCKET}) "
    f"else concat_ws('/', 'aws:/', {ACCOUNT}, {SERVICE}, "
    f"coalesce({PARAMETERS}.roleArn, get(r.resources, 0).ARN, {SHARED_THING})) end",
    "object": NO_TEXT,
    "destination": f"case when {OPENED_TO} is not null then {OPENED_TO} "
    f"when {IS_COPY} or {IS_UPLOAD} then {OBJECT_URI} "
    f"when listed_class = 'copy' then {COPIED_TO} end",
    "bytes_out": "case when r.eventName not in ('CopyObject', 'UploadPartCopy') then "
    f"{byte_count('r.additionalEventData.bytesTransferredOut')} end",
    "source_ip": address("r.sourceIPAddress"),
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": OUTCOME,
    "details": details_json(
        {
            "access_point": f"case when bucket <> {PARAMETERS}.bucketName "
            f"then {PARAMETERS}.bucketName end",
            "account": f"nullif({IDENTITY}.accountId, '')",
            "authentication": "nullif(r.additionalEventData.AuthenticationMethod, '')",
            "bytes_in": f"case when listed_class = 'write' then cast("
            f"{byte_count('r.additionalEventData.bytesTransferredIn')} as string) end",
            "destination_account": f"case when {OPENED_TO} is null then {TARGET_OWNER} end",
            "error_code": ERROR_CODE,
            # For a failure without a code, such as a sign-in.
            "error_message": f"case when {ERROR_CODE} is null then "
            f"nullif(substring(r.errorMessage, 1, {MESSAGE_CHARS}), '') end",
            "identity_type": f"{IDENTITY}.type",
            "issued_credential": "case when r.eventSource = 'sts.amazonaws.com' then "
            "r.responseElements.credentials.accessKeyId end",
            "log_change": LOG_CHANGE,
            "range": f"coalesce({PARAMETERS}.Range, {PARAMETERS}.`x-amz-copy-source-range`)",
            "recipient_account": "r.recipientAccountId",
            "region": "r.awsRegion",
            # S3's own access log has the same request id.
            "request_id": "case when r.eventSource = 's3.amazonaws.com' "
            "then nullif(r.requestID, '') end",
            "service": SERVICE,
            "shared_event_id": SHARED,
            UNKNOWN_ACTION: "case when listed_class is null and not looks then r.eventName end",
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


RECORD_TYPE = record_type(field_map("aws_cloudtrail").used)
JSON_TYPES = {
    "bytesTransferredIn": "double",
    "bytesTransferredOut": "double",
    "managementEvent": "boolean",
    "readOnly": "boolean",
    "_return": "boolean",
    "success": "boolean",
}
READER_TYPE = reduce(
    lambda text, field: text.replace(f"`{field[0]}`:string", f"`{field[0]}`:{field[1]}"),
    JSON_TYPES.items(),
    RECORD_TYPE,
)
"""The same with JSON's own types: engines' JSON readers do not turn numbers into text."""

WRAPPERS = {
    # Events of EventBridge; a bus may also carry other events.
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

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
        # Arrays as CloudTrail delivers them, and as CloudWatch Logs wrap them.
        envelopes=("Records", "logEvents"),
        batches=("logEvents",),
        wrappers=WRAPPERS,
        alone="eventName",
        reader_type=READER_TYPE,
    ),
    derived=DERIVED,
    same_event=SAME_EVENT,
)
