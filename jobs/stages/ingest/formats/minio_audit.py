"""MinIO audit entries.

Traps handled here:

- The time is the end of the answer, so the duration is subtracted. Older versions write it as a
  number with a unit, newer ones in nanoseconds too.
- ``tx`` is -1 if unknown, and ``rx`` includes the bytes that signing adds.
- Keys of service accounts and of sessions have a parent. Keys of people who signed in at another
  provider have claims.
- A deletion may name many objects.
- An entry of a refused request may hold what somebody typed as a key.
- Names are not percent-encoded, but the source of a copy is.
- Acts of the server itself have another trigger and no address.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat
from jobs.stages.ingest.openings import PUBLIC, SIGNED_IN
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    byte_count,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    quoted,
    unknown_action,
    url_decoded,
)
from schemas.formats.field_map import field_map, record_type

CLASSES = {
    "read": "GetObject GetObjectLambda SelectObjectContent WebDownload WebDownloadZip InspectData "
    "ExportIAM ExportBucketMetadata DownloadProfiling DownloadProfileData",
    "list": "ListBuckets ListObjectsV1 ListObjectsV2 ListObjectsV2M ListObjectVersions "
    "ListObjectVersionsM ListMultipartUploads ListObjectParts WebListBuckets WebListObjects "
    "WebListAllBucketPolicies ListUsers ListGroups ListBucketUsers ListCannedPolicies "
    "ListBucketPolicies ListServiceAccounts ListAccessKeysBulk ListAccessKeysLDAP "
    "ListAccessKeysLDAPBulk ListAccessKeysOpenIDBulk ListPolicyMappingEntities "
    "ListConfigHistoryKV ListRemoteTargets ListBatchJobs ListPools ListTier "
    "ListIdentityProviderCfg ListLDAPPolicyMappingEntities KMSListKeys KMSListPolicies "
    "KMSListIdentities",
    "inspect": "HeadObject HeadBucket GetObjectACL GetObjectAttributes GetObjectTagging "
    "GetObjectRetention GetObjectLegalHold GetBucketACL GetBucketAccelerate GetBucketCors "
    "GetBucketEncryption GetBucketLifecycle GetBucketLocation GetBucketLogging "
    "GetBucketNotification GetBucketObjectLockConfig GetBucketObjectLockConfiguration "
    "GetBucketPolicy GetBucketPolicyStatus GetBucketQuotaConfig GetBucketReplicationConfig "
    "GetBucketReplicationConfiguration GetBucketReplicationMetrics GetBucketReplicationMetricsV2 "
    "GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetBucketTarget "
    "ValidateBucketReplicationCreds ResetBucketReplicationStatus ListenNotification "
    "ListenBucketNotification WebGetBucketPolicy WebServerInfo WebStorageInfo WebGetDiscoveryDoc "
    "ServerInfo StorageInfo DataUsageInfo AccountInfo AccountingUsageInfo AccountUsageInfo "
    "TemporaryAccountInfo InfoAccessKey InfoServiceAccount InfoCannedPolicy GetUserInfo GetGroup "
    "GetConfig GetConfigKV HelpConfigKV GetIdentityProviderCfg Metrics HealthInfo Health OBDInfo "
    "ConsoleLog Trace TopLocks BandwidthMonitor BackgroundHealStatus DescribeBatchJob "
    "BatchJobStatus StatusPool RebalanceStatus TierStats VerifyTier ReplicationDiff "
    "ReplicationMRF SiteReplicationInfo SiteReplicationMetaInfo SiteReplicationStatus KMSStatus "
    "KMSMetrics KMSAPIs KMSVersion KMSKeyStatus KMSDescribeKey KMSDescribePolicy KMSGetPolicy "
    "KMSDescribeIdentity KMSDescribeSelfIdentity LicenseInfo",
    "write": "PutObject PutObjectPart PutObjectExtract NewMultipartUpload CompleteMultipartUpload "
    "AbortMultipartUpload PostPolicyBucket PutObjectTagging PutObjectRetention PutObjectLegalHold "
    "PostRestoreObject AppendObject WebUpload",
    "copy": "CopyObject CopyObjectPart",
    "delete": "DeleteObject DeleteMultipleObjects DeleteBucket ForceDeleteBucket "
    "DeleteObjectTagging WebRemoveObject WebDeleteBucket",
    "share": "PutBucketPolicy PutBucketACL PutObjectACL PutBucketReplicationConfig "
    "PutBucketReplicationConfiguration SetRemoteTarget SetBucketTarget SiteReplicationAdd "
    "WebPresignedGet WebSetBucketPolicy StartBatchJob ImportBucketMetadata AddTier EditTier",
    "assume": "AssumeRole AssumeRoleWithWebIdentity AssumeRoleWithClientGrants "
    "AssumeRoleWithLDAPIdentity AssumeRoleWithCertificate AssumeRoleWithCustomToken "
    "AssumeRoleWithSSO WebCreateURLToken",
    "sign_in": "WebLogin WebLoginSTS",
    "admin": "PutBucket MakeBucket WebMakeBucket PutBucketAccelerate PutBucketCors "
    "PutBucketEncryption PutBucketLifecycle PutBucketLogging PutBucketNotification "
    "PutBucketObjectLockConfig PutBucketObjectLockConfiguration PutBucketQuotaConfig "
    "PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite "
    "DeleteBucketCors DeleteBucketEncryption DeleteBucketLifecycle DeleteBucketPolicy "
    "DeleteBucketReplication DeleteBucketReplicationConfig DeleteBucketReplicationConfiguration "
    "DeleteBucketTagging DeleteBucketWebsite ResetBucketReplicationStart "
    "ResetBucketReplicationState WebSetAuth WebGenerateAuth AddUser RemoveUser SetUserStatus "
    "AddCannedPolicy RemoveCannedPolicy SetPolicyForUserOrGroup AttachDetachPolicyBuiltin "
    "AttachDetachPolicyLDAP AddServiceAccount AddServiceAccountLDAP UpdateServiceAccount "
    "DeleteServiceAccount UpdateGroupMembers SetGroupStatus ImportIAM ImportIAMV2 "
    "RevokeTokens Service ServiceV2 ServiceAction ServerUpdate "
    "ServerUpdateV2 SetConfig SetConfigKV DelConfigKV ClearConfigHistoryKV RestoreConfigHistoryKV "
    "AddIdentityProviderCfg UpdateIdentityProviderCfg DeleteIdentityProviderCfg "
    "RemoveRemoteTarget CancelBatchJob RemoveTier Heal "
    "StartProfiling Profile StartDecommission CancelDecommission RebalanceStart RebalanceStop "
    "ForceUnlock Speedtest ObjectSpeedTest NetSpeedtest DriveSpeedtest SitePerf "
    "ClientDevNull SiteReplicationRemove SiteReplicationEdit SiteReplicationResyncOp "
    "SiteReplicationDevNull SiteReplicationNetPerf SRPeerJoin SRPeerBucketOps "
    "SRPeerReplicateIAMItem SRPeerReplicateBucketItem SRPeerGetIDPSettings SRPeerEdit "
    "SRPeerRemove SRStateEdit KMSCreateKey KMSDeleteKey KMSImportKey KMSSetPolicy "
    "KMSDeletePolicy KMSAssignPolicy KMSDeleteIdentity",
}
"""Verbs of S3, STS, administration, and the web interface before 2022."""

ACTION = "coalesce(nullif(r.api.name, ''), nullif(r.event, ''))"
# The form in traces: `s3.GetObject`, `admin.AddUserHandler`.
VERB = f"regexp_replace({ACTION}, '^(?:s3|sts|admin|kms|web)[.]|Handler$', '')"
SHARES = f"{VERB} in ({', '.join(map(quoted, CLASSES['share'].split()))})"
CLAIMS = "r.requestClaims"
# What somebody types as a key and no server knows names nobody; it may be a secret.
UNKNOWN_KEY = "(?i)^(InvalidAccessKeyId|(The )?access key id you provided does not exist)"
IS_UNKNOWN = " or ".join(
    f"coalesce({text} rlike {quoted(UNKNOWN_KEY)}, false)" for text in ("r.error", "r.api.status")
)
KEY = (
    f"case when not ({IS_UNKNOWN}) "
    f"then coalesce(nullif(r.accessKey, ''), nullif({CLAIMS}.accessKey, '')) end"
)
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
ACL_OPENS = (
    f"case when r.requestHeader.`X-Amz-Acl` like '%public-read%' then '{PUBLIC}' "
    f"when r.requestHeader.`X-Amz-Acl` like '%authenticated-read%' then '{SIGNED_IN}' end"
)
# A presigned address holds the right to the request; the signature itself is not read.
BY_ADDRESS = "coalesce(r.requestQuery.`X-Amz-Algorithm`, r.requestQuery.AWSAccessKeyId)"
DURATION = "coalesce(nullif(r.api.timeToResponseInNS, ''), r.api.timeToResponse)"
SMALL_UNITS = {"ns": 1, "[u\u00b5\u03bc]s": 1_000, "ms": 1_000_000}
LARGE_UNITS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000}
NUMBER = "[0-9]+(?:[.][0-9]+)?"


def _nanoseconds(text: str) -> str:
    """SQL of nanoseconds from a duration as Go writes it (`12m30.25s`, `350ms`).

    A plain number is nanoseconds; other text gives 0.
    """
    small = " ".join(
        f"when {text} rlike '^{NUMBER}{unit}$' "
        f"then try_cast(regexp_extract({text}, '^({NUMBER})', 1) as double) * {size}"
        for unit, size in SMALL_UNITS.items()
    )
    whole = "".join(f"(?:({NUMBER}){unit})?" for unit in LARGE_UNITS)
    large = " + ".join(
        f"coalesce(try_cast(regexp_extract({text}, '^{whole}$', {group}) as double), 0) * {size}"
        for group, size in enumerate(LARGE_UNITS.values(), start=1)
    )
    return (
        f"coalesce(case when {text} rlike '^[0-9]+$' then try_cast({text} as double) {small} "
        f"when {text} rlike '^{whole}$' then {large} end, 0)"
    )


STATUS = "try_cast(r.api.statusCode as int)"
STATUS_TEXT = "nullif(r.api.status, '')"
GOOD_TEXTS = "'OK', 'Created', 'Accepted', 'No Content', 'Partial Content', 'Not Modified'"
# Beginnings of HTTP's texts and of S3's error codes.
BAD_TEXTS = (
    "^(?:Access|All Access|Bad|Bucket|Client Closed|Conflict|Entity|Expired|Forbidden|Gateway|"
    "Incomplete|Internal|Invalid|Key|Length|Malformed|Max|Method|Missing|No ?Such|Not ?|Object|"
    "Operation|Precondition|Quota|Request|Service|Signature|Slow ?Down|Storage|Token|Too|"
    "Unauthorized|Unprocessable|X(?:Amz|Minio))"
)

COLUMNS = {
    "event_id": "case when nullif(r.requestID, '') is not null "
    "then concat_ws('/', nullif(r.deploymentid, ''), r.requestID) else md5(concat_ws('|', "
    f"r.deploymentid, r.time, {ACTION}, r.trigger, r.api.bucket, r.api.object, {KEY}, "
    "r.remotehost)) end",
    "event_time": f"timestamp_micros(unix_micros({iso_time('r.time')}) "
    f"- cast(floor({_nanoseconds(DURATION)} / 1000) as bigint))",
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
    # A service account acts for its parent. The key of a session is temporary and names nobody.
    "acting_as": f"case when {CLAIMS}.exp is null and {KEY} <> {PARENT} then {KEY} end",
    "credential": KEY,
    "issued_credential": NO_TEXT,
    "action": ACTION,
    "action_class": f"case when {ACL_OPENS} is not null then 'share' "
    f"else {class_of(VERB, CLASSES, quoted('other'))} end",
    "resource": f"case when {IS_COPY} and {COPY_HEADER} is not null "
    f"then concat('minio://', {COPY_SOURCE}) else {OBJECT} end",
    "object": NO_TEXT,
    # Entries hold no bodies, so they tell of no grantee.
    "destination": f"case when {IS_COPY} and {ACL_OPENS} is null then {OBJECT} "
    f"when {ACL_OPENS} is not null then {ACL_OPENS} "
    f"when {VERB} = 'WebPresignedGet' then 'link://presigned' "
    f"when {SHARES} then concat('unknown://', {VERB}) end",
    # A copy moves the object's size, not the answer's.
    "bytes_out": f"case when not coalesce({IS_COPY}, false) and not {OF_SERVER} "
    f"then {byte_count('r.api.tx')} end",
    "source_ip": address("r.remotehost"),
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": f"case when {STATUS} >= 400 then 'failure' when {STATUS} >= 100 then 'success' "
    "when nullif(r.error, '') is not null then 'failure' "
    f"when {STATUS_TEXT} in ({GOOD_TEXTS}) then 'success' "
    f"when {STATUS_TEXT} rlike '{BAD_TEXTS}' then 'failure' else 'unknown' end",
    "details": details_json(
        {
            "authentication": f"case when {BY_ADDRESS} is not null then 'QueryString' end",
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
            UNKNOWN_ACTION: f"case when not {OF_SERVER} then {unknown_action(VERB, CLASSES)} end",
        }
    ),
    "precedence": "0",
    "problem": f"case when {ACTION} is null then 'no api.name' end",
}


RECORD_TYPE = record_type(field_map("minio_audit").used)

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
    ),
)
