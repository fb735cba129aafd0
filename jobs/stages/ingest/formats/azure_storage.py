"""Azure Storage resource logs: reads, writes and deletions of blobs, files, queues and tables.

Traps handled here: an account key or a shared access signature names nobody, only the token's
hash; the caller's address carries a port; ``objectKey`` begins with the account; one copy makes
several records with the same ``correlationId``. One of them names the source, the others name the
destination.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat
from jobs.stages.ingest.openings import PUBLIC
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    byte_count,
    class_of,
    details_json,
    iso_time,
    of_account,
    one_a_line,
    quoted,
    unknown_action,
    url_decoded,
)
from schemas.formats.field_map import field_map, record_type

CLASSES = {
    # Names without a service come from SMB, NFS and the classic logs.
    "read": "GetBlob ReadFile QueryBlobContents GetBlobRange GetFile GetMessage GetMessages "
    "PeekMessage PeekMessages QueryEntity QueryEntities Read",
    "list": "ListBlobs ListContainers ListFilesystems ListFilesystemDir ListFilesystemFile "
    "ListPaths ListBlobsHierarchy FindBlobsByTags FilterBlobs GetPageRanges GetPageRegions "
    "ListFiles ListFilesAndDirectories ListDirectoriesAndFiles ListFileRanges ListHandles "
    "ListShares ListQueues QueryTable QueryTables QueryDirectory",
    "inspect": "GetBlobMetadata GetBlobProperties GetBlobTags GetBlobLeaseInfo GetLeaseInfo "
    "GetBlockList GetContainerACL GetContainerAcl GetContainerMetadata GetContainerProperties "
    "GetContainerServiceMetadata GetBlobServiceProperties GetBlobServiceStats "
    "GetAccountInformation GetAccountInfo GetFilesystemProperties GetFilesystemAcl "
    "GetPathAccessControl GetPathProperties GetPathStatus GetDirectoryMetadata "
    "GetDirectoryProperties GetFileCopyInformation GetFileMetadata GetFileProperties "
    "GetFilePermission GetFileServiceProperties GetShareACL GetShareAcl GetShareMetadata "
    "GetShareProperties GetShareStats GetQueue GetQueueACL GetQueueAcl GetQueueMetadata "
    "GetQueueProperties GetQueueServiceProperties GetQueueServiceStats GetTableACL GetTableAcl "
    "GetTableServiceProperties GetTableServiceStats BlobPreflightRequest FilePreflightRequest "
    "QueuePreflightRequest TablePreflightRequest FilesystemPreflightRequest PreflightBlobRequest "
    "QueryInfo ChangeNotify",
    "write": "PutBlob PutBlock PutBlockList PutPage ClearPage AppendBlock AppendFile FlushFile "
    "CopyBlob CopyBlobDestination CopyBlobFromURL PutBlobFromURL PutBlockFromURL "
    "AppendBlockFromURL PutPageFromURL CreatePathFile CreatePathDir CreateFilesystemDir "
    "CreateFilesystemFile RenamePathFile RenamePathDir RenameFile RenameDirectory SetBlobMetadata "
    "SetBlobProperties SetBlobTags SetBlobTier SetBlobExpiry SnapshotBlob UndeleteBlob "
    "UndeletePath CreateBlobSnapshot IncrementalCopyBlob AbortCopyBlob SetPageBlobSequenceNumber "
    "SealBlob AppendBlobSeal SetPathProperties SetFileProperties SetFileMetadata "
    "SetDirectoryProperties SetDirectoryMetadata CreateFile CreateDirectory PutRange ClearRange "
    "PutRangeFromURL CopyFile CopyFileDestination AbortCopyFile CreateHardLink "
    "CreateFileSymbolicLink CreateFilePermission SnapshotShare PutMessage UpdateMessage "
    "InsertEntity InsertOrMergeEntity InsertOrReplaceEntity UpdateEntity MergeEntity "
    "EntityGroupTransaction BlobBatch SubmitBatch SubmitBlobBatch "
    "AcquireBlobLease BreakBlobLease ChangeBlobLease ReleaseBlobLease RenewBlobLease "
    "AcquireFileLease BreakFileLease ChangeFileLease ReleaseFileLease LeaseFile LeasePath "
    "Write SetInfo Flush Create",
    "copy": "CopyBlobSource CopyFileSource",
    "delete": "DeleteBlob DeleteBlobSnapshot DeleteContainer DeleteFilesystem "
    "DeleteFilesystemDir DeleteFilesystemFile DeletePath DeleteDirectory DeleteFile DeleteShare "
    "DeleteQueue DeleteMessage DeleteMessages ClearMessages DeleteTable DeleteEntity",
    "share": "SetContainerACL SetContainerAcl SetPathAccessControl SetFilesystemAccessControl "
    "RemovePathAccessControl UpdatePathAccessControl SetShareACL SetShareAcl SetQueueACL "
    "SetQueueAcl SetTableACL SetTableAcl "
    "GetUserDelegationKey",
    "sign_in": "SessionSetup TreeConnect Logoff TreeDisconnect Negotiate",
    "admin": "CreateContainer CreateFilesystem CreateShare CreateQueue CreateTable "
    "SetBlobServiceProperties SetFileServiceProperties SetQueueServiceProperties "
    "SetTableServiceProperties SetContainerMetadata SetContainerProperties RestoreContainer "
    "UndeleteContainer RenameContainer SetFilesystemProperties SetShareMetadata "
    "SetShareProperties SetShareQuota RestoreShare UndeleteShare SetQueueMetadata "
    "SetBlobImmutabilityPolicy DeleteBlobImmutabilityPolicy SetBlobLegalHold RestoreBlobRanges "
    "AcquireContainerLease BreakContainerLease ChangeContainerLease ReleaseContainerLease "
    "RenewContainerLease AcquireShareLease BreakShareLease ChangeShareLease ReleaseShareLease "
    "RenewShareLease ForceCloseHandles",
    "other": "Close Cancel Echo Ioctl Lock OplockBreak",
}
"""Operations of blobs, Data Lake, files, queues and tables."""
SHARES = f"r.operationName in ({', '.join(map(quoted, CLASSES['share'].split()))})"
MANAGED = {
    "/(list[a-z]*keys|regenerate[a-z]*keys?)/action$": "link://account-key",
    "/list(account|service)sas/action$": "link://shared-access-signature",
    "/generateuserdelegationkey/action$": "link://user-delegation-key",
    "/begingetaccess/action$": "link://disk",
    "/(list|generate)credentials/action$": "link://registry-password",
    "/localusers/(write|regeneratepassword/action)$": "link://local-user",
    "^microsoft[.]authorization/(roleassignments/write|elevateaccess/action)$": (
        "unknown://role-assignment"
    ),
    "/federatedidentitycredentials/write$": "unknown://federated",
    "/objectreplicationpolicies/write$": "unknown://replication",
    "/galleries/share/action$": "unknown://gallery",
    "^microsoft[.]datashare/.*/(invitations|synchronizationsettings)/write$": "unknown://data-share",
}
"""Ends of operations of Azure's management, in lower case → whom they open something to.

Whoever holds a key or a signature may read; whoever gets a role may, too."""
PUBLIC_ACCESS = (
    'lower(r.properties.requestbody) rlike \'publicaccess" *: *("(blob|container)"|true)\''
)
"""SQL of whether a request of management lets everybody read a container."""
BY_MANAGEMENT = (
    "case "
    + " ".join(
        f"when lower(r.operationName) rlike {quoted(end)} then '{to}'"
        for end, to in MANAGED.items()
    )
    + f" when r.operationName like '%/%' and {PUBLIC_ACCESS} then '{PUBLIC}' end"
)
GIVEN = "given"
OTHER_CLASS = f"case when {GIVEN} is not null then 'share' else 'other' end"

REQUESTER = "r.identity.requester"
HASH = "nullif(r.identity.tokenHash, '')"
ACTOR = (
    f"coalesce(nullif({REQUESTER}.upn, ''), nullif({REQUESTER}.objectId, ''), "
    f"nullif({REQUESTER}.appId, ''), nullif(r.identity.delegatedResource.resourceId, ''))"
)
KEY_NAME = "nullif(regexp_extract(r.identity.tokenHash, '^([A-Za-z0-9_-]+)[(]', 1), '')"
WITH_KEY = "r.identity.type in ('AccountKey', 'SAS', 'DelegationSas')"


def _uri_of(url: str) -> str:
    """SQL of `az://account/container/blob` from a URL; null for other text."""
    # The host's letters may be of any case. A secondary endpoint reads the same account.
    account = (
        f"nullif(regexp_replace(lower(regexp_extract({url}, '(?i)^https?://([^./:?]+)', 1)), "
        "'-secondary$', ''), '')"
    )
    path = f"regexp_extract({url}, '(?i)^https?://[^/?]+/([^?]*)', 1)"
    decoded = url_decoded(f"replace({path}, '+', '%2B')")
    return (
        f"case when {account} is not null then "
        f"concat_ws('/', 'az:/', {account}, nullif({decoded}, '')) end"
    )


KEY = (
    "regexp_replace(regexp_replace(r.properties.objectKey, '^\"|\"$', ''), "
    "'^/([a-z0-9]+)-secondary/', '/$1/')"
)
OBJECT, SOURCE, TARGET, ADDRESS_ALONE = "blob", "copied", "copied_to", "caller_address"
CLASS = "class"


def _managed(kind: str) -> str:
    """SQL of the name of an account or container in the id of a managed resource, else null."""
    return f"nullif(regexp_extract(lower(r.resourceId), '/{kind}/([^/]+)', 1), '')"


BLOB = (
    f"case when {KEY} like '/%' then concat('az:/', {KEY}) "
    f"else coalesce({_uri_of(KEY)}, {_uri_of('r.uri')}, "
    "concat('az://', coalesce(nullif(r.properties.accountName, ''), "
    f"{_managed('storageaccounts')}, '-'), "
    f"coalesce(concat('/', {_managed('containers')}), ''))) end"
)
IS_SOURCE = "(r.operationName in ('CopyBlobSource', 'CopyFileSource'))"
# A write that names its source is a copy.
IS_COPY = f"({IS_SOURCE} or nullif(r.properties.sourceUri, '') is not null)"
IS_WEB = (
    f"coalesce(case when {IS_SOURCE} then {TARGET} else coalesce({TARGET}, {OBJECT}) end "
    "rlike '^az://[^/]*/[$]web(/|$)', false)"
)
# The destination, from the other records of the same copy.
SIBLING = (
    f"max(case when r.operationName = 'CopyBlob' then {OBJECT} end) "
    # All other records share a few partitions: each partition costs an engine time.
    "over (partition by case when r.operationName like 'CopyBlob%' then r.correlationId "
    "else cast(pmod(xxhash64(r.correlationId), 64) as string) end)"
)
STATUS = "try_cast(r.statusCode as int)"
# `SASSuccess`, `AnonymousSuccess`, `SASClientOtherError` or an error code of the service.
STATUS_TEXT = "coalesce(nullif(r.statusText, ''), nullif(r.properties.metricResponseType, ''))"
GOOD_TEXTS = "^(?:SAS|Anonymous)?Success(?:WithThrottling)?$|^STATUS_SUCCESS$"
BAD_TEXTS = (
    "Error|Fail|Denied|Mismatch|Invalid|NotFound|NotMet|NotMatch|Exists|Missing|Throttl|Busy|"
    "Timeout|TimedOut|Conflict|Unauthorized|Unsupported|NotSupported|NotAllowed|NotPermitted|"
    "NotImplemented|Forbidden|Disabled|Exceed|OutOf|TooLarge|TooMany|TooLong|BadRequest|Aborted|"
    "Insufficient|Incompatible|NotPresent|Sharing|Cannot|Unsatisfiable|BeingDeleted|Pending|"
    "Required|NotAllowed|NotEmpty|Locked|STATUS_"
)
DERIVED = (
    {
        OBJECT: BLOB,
        SOURCE: f"case when r.properties.sourceUri <> '' then {_uri_of('r.properties.sourceUri')} "
        "end",
        TARGET: "case when r.properties.destinationUri <> '' "
        f"then {_uri_of('r.properties.destinationUri')} end",
        ADDRESS_ALONE: address("trim(r.callerIpAddress)"),
        GIVEN: BY_MANAGEMENT,
    },
    {
        CLASS: f"case when {IS_COPY} then 'copy' "
        f"else {class_of('r.operationName', CLASSES, OTHER_CLASS)} end"
    },
)

COLUMNS = {
    "event_id": "case when nullif(r.correlationId, '') is not null then "
    "concat_ws('/', r.correlationId, r.operationName, nullif(r.properties.operationCount, '0')) "
    "else md5(concat_ws('|', r.time, r.operationName, r.properties.objectKey, r.uri, "
    f"{ACTOR}, {HASH}, r.callerIpAddress)) end",
    "event_time": iso_time("r.time"),
    "principal": f"coalesce({ACTOR}, {HASH}, case when r.identity.type <> 'Anonymous' "
    "then nullif(r.identity.type, '') end, 'anonymous')",
    "names": one_a_line(
        f"{REQUESTER}.upn",
        f"{REQUESTER}.objectId",
        f"{REQUESTER}.appId",
        "r.identity.delegatedResource.resourceId",
        HASH,
        of_account(f"{REQUESTER}.tenantId"),
    ),
    # A missing user name proves nothing. The role assignment names the type of its principal.
    "kind_hint": "case when r.identity.type = 'TrustedAccess' or exists(r.identity.authorization, "
    "a -> exists(a.principals, p -> p.type = 'ServicePrincipal')) then 'service' end",
    # The holder of a key acts with the rights of the account or of the signature.
    "acting_as": f"case when {WITH_KEY} then concat_ws('/', "
    f"coalesce(nullif(r.properties.accountName, ''), '-'), {KEY_NAME}) end",
    "credential": HASH,
    "issued_credential": NO_TEXT,
    "action": "r.operationName",
    "action_class": CLASS,
    "resource": f"case when {IS_COPY} and not {IS_SOURCE} then coalesce({SOURCE}, {OBJECT}) "
    f"else {OBJECT} end",
    "object": NO_TEXT,
    "destination": f"case when {IS_COPY} and {IS_WEB} then 'link://website' "
    f"when {IS_SOURCE} then coalesce({TARGET}, {SIBLING}) "
    f"when {IS_COPY} then coalesce({TARGET}, {OBJECT}) "
    # A user's delegation key signs links. Records hold no access lists.
    "when r.operationName = 'GetUserDelegationKey' then 'link://user-delegation-key' "
    f"when {GIVEN} is not null then {GIVEN} "
    # Whatever comes to this container is a public website.
    f"when {IS_WEB} and {CLASS} = 'write' then 'link://website' "
    f"when {SHARES} then concat('unknown://', r.operationName) end",
    # A copy moves the blob's size, not the answer's.
    "bytes_out": f"case when not {IS_COPY} and r.operationName not like 'Copy%' "
    f"then {byte_count('r.properties.responseBodySize')} end",
    "source_ip": ADDRESS_ALONE,
    "user_agent": "nullif(r.properties.userAgentHeader, '')",
    "outcome": f"case when {STATUS} >= 400 then 'failure' when {STATUS} >= 100 then 'success' "
    f"when {STATUS_TEXT} rlike '{GOOD_TEXTS}' then 'success' "
    f"when {STATUS_TEXT} rlike '{BAD_TEXTS}' then 'failure' else 'unknown' end",
    "details": details_json(
        {
            "app": f"nullif({REQUESTER}.appId, '')",
            "authentication": "nullif(r.identity.type, '')",
            "category": "nullif(r.category, '')",
            "delegated_resource": "nullif(r.identity.delegatedResource.resourceId, '')",
            "range": "nullif(r.properties.downloadRange, '')",
            # The rest of a URL with a shared access signature is not kept.
            "sas_expiry": "nullif(regexp_extract(r.uri, '[?&]se=([^&]*)', 1), '')",
            "sas_permissions": "nullif(regexp_extract(r.uri, '[?&]sp=([A-Za-z]+)', 1), '')",
            "status_code": "nullif(r.statusCode, '')",
            "status_text": "nullif(r.statusText, '')",
            "tenant": f"nullif({REQUESTER}.tenantId, '')",
            UNKNOWN_ACTION: f"case when {GIVEN} is null "
            f"then {unknown_action('r.operationName', CLASSES)} end",
        }
    ),
    "precedence": "0",
    "problem": "case when nullif(r.operationName, '') is null then 'no operationName' end",
}


RECORD_TYPE = record_type(field_map("azure_storage").used)

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
        envelopes=("records",),
    ),
    derived=DERIVED,
)
