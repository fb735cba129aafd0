"""Azure Storage resource logs: reads, writes and deletions of blobs.

Traps handled here: an account key or a shared access signature names nobody, only the token's
hash; the caller's address carries a port; ``objectKey`` begins with the account; one copy makes
several records with the same ``correlationId``, of which the one of the source says what was
taken and the others where it went.
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

ENVELOPES = ("records",)
KEEPS_TEXT = False

CLASSES = {
    "read": "GetBlob ReadFile QueryBlobContents GetBlobRange",
    "list": "ListBlobs ListContainers ListFilesystems ListFilesystemDir ListFilesystemFile "
    "FindBlobsByTags GetPageRanges GetPageRegions",
    "write": "PutBlob PutBlock PutBlockList PutPage AppendBlock AppendFile FlushFile CopyBlob "
    "CopyBlobDestination CopyBlobFromURL PutBlobFromURL PutBlockFromURL AppendBlockFromURL "
    "PutPageFromURL CreatePathFile CreatePathDir RenamePathFile RenamePathDir RenameFile "
    "SetBlobMetadata SetBlobProperties SetBlobTags SetBlobTier SnapshotBlob UndeleteBlob "
    "CreateBlobSnapshot",
    "share": "SetContainerACL SetContainerAcl SetPathAccessControl SetFilesystemAccessControl",
    "assume": "GetUserDelegationKey",
}
OTHER_CLASS = """case
    when r.operationName rlike '(?i)/list(Keys|AccountSas|ServiceSas)/action$' then 'assume'
    when r.operationName like 'List%' then 'list'
    when r.operationName like 'Get%' or r.operationName like '%Preflight%' then 'inspect'
    when r.operationName like 'Delete%' then 'delete'
    else 'admin' end"""

REQUESTER = "r.identity.requester"
HASH = "nullif(r.identity.tokenHash, '')"
ACTOR = (
    f"coalesce(nullif({REQUESTER}.upn, ''), nullif({REQUESTER}.objectId, ''), "
    f"nullif({REQUESTER}.appId, ''), nullif(r.identity.delegatedResource.resourceId, ''))"
)
KEY_NAME = "nullif(regexp_extract(r.identity.tokenHash, '^([A-Za-z0-9_-]+)[(]', 1), '')"
WITH_KEY = "r.identity.type in ('AccountKey', 'SAS', 'DelegationSas')"


def _uri_of(url: str) -> str:
    """SQL of `az://account/container/blob` from a URL; null where it is none."""
    account = f"nullif(regexp_extract({url}, '^https?://([^./:?]+)', 1), '')"
    path = f"regexp_extract({url}, '^https?://[^/?]+/([^?]*)', 1)"
    decoded = url_decoded(f"replace({path}, '+', '%2B')")
    return (
        f"case when {account} is not null then "
        f"concat_ws('/', 'az:/', {account}, nullif({decoded}, '')) end"
    )


KEY = "regexp_replace(r.properties.objectKey, '^\"|\"$', '')"
OBJECT, SOURCE, TARGET, ADDRESS_ALONE = "blob", "copied", "copied_to", "caller_address"
BLOB = (
    f"case when {KEY} like '/%' then concat('az:/', {KEY}) "
    f"else coalesce({_uri_of(KEY)}, {_uri_of('r.uri')}, "
    "concat('az://', coalesce(nullif(r.properties.accountName, ''), '-'))) end"
)
IS_SOURCE = "(r.operationName = 'CopyBlobSource')"
# A write that names what it copies.
IS_COPY = f"({IS_SOURCE} or nullif(r.properties.sourceUri, '') is not null)"
# Where the other records of the same copy say that it went.
SIBLING = (
    f"max(case when r.operationName = 'CopyBlob' then {OBJECT} end) "
    # All other records share a few partitions, as each of them takes an engine its time.
    "over (partition by case when r.operationName like 'CopyBlob%' then r.correlationId "
    "else cast(pmod(xxhash64(r.correlationId), 64) as string) end)"
)
STATUS = "try_cast(r.statusCode as int)"
DERIVED = (
    {
        OBJECT: BLOB,
        SOURCE: f"case when r.properties.sourceUri <> '' then {_uri_of('r.properties.sourceUri')} "
        "end",
        TARGET: "case when r.properties.destinationUri <> '' "
        f"then {_uri_of('r.properties.destinationUri')} end",
        ADDRESS_ALONE: address("trim(r.callerIpAddress)"),
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
    ),
    # People have a principal name; managed identities and applications have none.
    "kind_hint": "case when r.identity.type = 'TrustedAccess' or (r.identity.type = 'OAuth' and "
    f"nullif({REQUESTER}.upn, '') is null and {ACTOR} is not null) then 'service' end",
    # Whoever holds a key acts with the account's rights, or with what was signed with that key.
    "acting_as": f"case when {WITH_KEY} then concat_ws('/', "
    f"coalesce(nullif(r.properties.accountName, ''), '-'), {KEY_NAME}) end",
    "credential": HASH,
    "issued_credential": NO_TEXT,
    "action": "r.operationName",
    "action_class": f"case when {IS_COPY} then 'copy' "
    f"else {class_of('r.operationName', CLASSES, OTHER_CLASS)} end",
    "resource": f"case when {IS_COPY} and not {IS_SOURCE} then coalesce({SOURCE}, {OBJECT}) "
    f"else {OBJECT} end",
    "object": NO_TEXT,
    "destination": f"case when {IS_SOURCE} then coalesce({TARGET}, {SIBLING}) "
    f"when {IS_COPY} then coalesce({TARGET}, {OBJECT}) end",
    # A copy moves the blob's size, not the answer's.
    "bytes_out": f"case when not {IS_COPY} and r.operationName not like 'Copy%' "
    f"then {byte_count('r.properties.responseBodySize')} end",
    "source_ip": ADDRESS_ALONE,
    "user_agent": "nullif(r.properties.userAgentHeader, '')",
    "outcome": f"case when {STATUS} >= 400 then 'failure' when {STATUS} is not null then 'success' "
    "when r.statusText like '%Success' then 'success' else 'unknown' end",
    "details": details_json(
        {
            "app": f"nullif({REQUESTER}.appId, '')",
            "authentication": "nullif(r.identity.type, '')",
            "category": "nullif(r.category, '')",
            "delegated_resource": "nullif(r.identity.delegatedResource.resourceId, '')",
            "range": "nullif(r.properties.downloadRange, '')",
            # The rest of a shared access signature's address is not kept.
            "sas_expiry": "nullif(regexp_extract(r.uri, '[?&]se=([^&]*)', 1), '')",
            "sas_permissions": "nullif(regexp_extract(r.uri, '[?&]sp=([A-Za-z]+)', 1), '')",
            "status_code": "nullif(r.statusCode, '')",
            "status_text": "nullif(r.statusText, '')",
            "tenant": f"nullif({REQUESTER}.tenantId, '')",
        }
    ),
    "precedence": "0",
    "problem": "case when nullif(r.operationName, '') is null then 'no operationName' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("azure_storage").used)
