"""Google Cloud audit logs: entries of Data Access and Admin Activity logs, first of all of GCS.

Traps handled here: under impersonation ``principalEmail`` is the service account, and who used it
is in ``serviceAccountDelegationInfo``, which may be there and be empty; no bytes are logged; an
empty status is a success; the caller's address may be a word such as ``private``; ``insertId`` is
unique only beside the log's name and the time.
"""

from __future__ import annotations

from jobs.formats import (
    NO_TEXT,
    address,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    quoted,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES = ("",)
"""``gcloud logging read --format=json`` writes a bare JSON array."""
KEEPS_TEXT = False

CLASSES = {
    "list": "storage.objects.list storage.buckets.list storage.managedFolders.list",
    "inspect": "storage.buckets.get storage.getIamPermissions storage.objects.getIamPolicy",
    "write": "storage.objects.create storage.objects.update storage.objects.patch "
    "storage.objects.compose storage.objects.restore storage.objects.move",
    "delete": "storage.objects.delete storage.buckets.delete",
    "query": "google.cloud.bigquery.v2.JobService.InsertJob jobservice.insert jobservice.query",
    "read": "google.cloud.bigquery.v2.TableDataService.List tabledataservice.list",
}
# Verbs not listed above, by their last word, which services write in both ways: `pods.list`,
# `ListKeys`.
OTHER_CLASS = """case
    when r.protoPayload.methodName rlike '(?i)setIam(Policy|Permissions)$' then 'share'
    when r.protoPayload.methodName
      rlike '(GenerateAccessToken|GenerateIdToken|SignBlob|SignJwt|ExchangeToken)$' then 'assume'
    when r.protoPayload.methodName rlike '[.](exec|attach|portforward)[.](create|get)$'
      then 'execute'
    when r.protoPayload.methodName rlike '[.]([Ll]ist[A-Za-z]*|watch|aggregatedList)$' then 'list'
    when r.protoPayload.methodName rlike '[.](get|Get)[A-Za-z]*$' then 'inspect'
    when r.protoPayload.methodName rlike '[.](delete|Delete)[A-Za-z]*$' then 'delete'
    else 'admin' end"""

PAYLOAD = "r.protoPayload"
IDENTITY = f"{PAYLOAD}.authenticationInfo"
METHOD = f"{PAYLOAD}.methodName"
# The first one of a chain is where it began; real logs hold a first one without any name.
DELEGATION = f"get({IDENTITY}.serviceAccountDelegationInfo, 0)"
DELEGATE = (
    f"coalesce(nullif({DELEGATION}.firstPartyPrincipal.principalEmail, ''), "
    f"nullif({DELEGATION}.principalSubject, ''))"
)
OWN_NAME = (
    f"coalesce(nullif({IDENTITY}.principalEmail, ''), nullif({IDENTITY}.principalSubject, ''))"
)
ACTOR = f"coalesce({DELEGATE}, {OWN_NAME})"
SERVICE = (
    "rlike '(gserviceaccount[.]com|svc[.]id[.]goog\\\\[[^]]*\\\\])$|^serviceAccount:"
    "|^principal(Set)?://[^/]*/projects/.*/workloadIdentityPools/'"
)


def _bare(name: str) -> str:
    """SQL of a name without its kind: `user:ana@example.com`."""
    return f"regexp_replace({name}, '^(user|serviceAccount):', '')"


def _object_uri(name: str) -> str:
    """SQL of `gs://bucket/object` from a resource's name; null where it is no bucket's."""
    pattern = "(?s)^(?:.*/)?projects/[^/]+/buckets/([^/]+)(?:/objects/(.*))?"
    bucket, key = (f"nullif(regexp_extract({name}, '{pattern}', {n}), '')" for n in (1, 2))
    return f"case when {bucket} is not null then concat_ws('/', 'gs:/', {bucket}, {key}) end"


TARGET = f"{PAYLOAD}.metadata.destination"
IS_READ = f"({METHOD} = 'storage.objects.get')"
IS_COPY = f"({IS_READ} and nullif({TARGET}, '') is not null)"
KUBERNETES = quoted("^[^/]+/[^/]+/namespaces/([^/]+)/([^/]+)(?:/([^/]+))?(?:/([^/]+))?")
NAMESPACE, KIND, NAME, SUBRESOURCE = (
    f"nullif(regexp_extract({PAYLOAD}.resourceName, {KUBERNETES}, {n}), '')" for n in (1, 2, 3, 4)
)
CODE = f"try_cast({PAYLOAD}.status.code as int)"

CALLER = f"{PAYLOAD}.requestMetadata.callerIp"

COLUMNS = {
    "event_id": "coalesce(concat_ws('/', nullif(r.insertId, ''), r.timestamp, "
    "case when nullif(r.insertId, '') is null then "
    f"md5(concat_ws('|', {METHOD}, {PAYLOAD}.resourceName, {ACTOR})) end, r.logName), '-')",
    "event_time": iso_time("r.timestamp"),
    "principal": f"coalesce({ACTOR}, 'anonymous')",
    # A service that uses another one may be known by that one only; a person is not that one.
    "names": one_a_line(
        ACTOR,
        f"nullif({_bare(ACTOR)}, {ACTOR})",
        f"case when {DELEGATE} is null then {_bare(f'{IDENTITY}.principalSubject')} end",
        f"case when {DELEGATE} {SERVICE} then {OWN_NAME} end",
    ),
    "kind_hint": f"case when {ACTOR} {SERVICE} then 'service' end",
    "acting_as": f"case when {DELEGATE} is not null then {OWN_NAME} end",
    "credential": f"nullif(substring_index({IDENTITY}.serviceAccountKeyName, '/', -1), '')",
    "issued_credential": NO_TEXT,
    "action": METHOD,
    "action_class": f"case when {IS_COPY} then 'copy' when {IS_READ} then 'read' "
    f"else {class_of(METHOD, CLASSES, OTHER_CLASS)} end",
    "resource": f"coalesce({_object_uri(f'{PAYLOAD}.resourceName')}, "
    f"case when {PAYLOAD}.serviceName = 'k8s.io' and {NAMESPACE} is not null then "
    "concat_ws('/', 'k8s:/', coalesce(nullif(r.resource.labels.cluster_name, ''), '-'), "
    f"{NAMESPACE}, {KIND}, {NAME}) end, "
    "concat_ws('/', 'gcp:/', coalesce(nullif(r.resource.labels.project_id, ''), '-'), "
    f"coalesce(nullif({PAYLOAD}.serviceName, ''), '-'), nullif({PAYLOAD}.resourceName, '')))",
    "object": NO_TEXT,
    "destination": f"case when {IS_COPY} then coalesce({_object_uri(TARGET)}, {TARGET}) end",
    "bytes_out": "cast(null as bigint)",
    "source_ip": address(CALLER),
    "user_agent": f"nullif(trim({PAYLOAD}.requestMetadata.callerSuppliedUserAgent), '')",
    "outcome": f"case when {CODE} <> 0 then 'failure' else 'success' end",
    "details": details_json(
        {
            "error_code": f"case when {CODE} <> 0 then cast({CODE} as string) end",
            "project": "nullif(r.resource.labels.project_id, '')",
            "requested_bytes": f"{PAYLOAD}.metadata.requested_bytes",
            "service": f"nullif({PAYLOAD}.serviceName, '')",
            "source_host": f"case when {address(CALLER)} is null then nullif({CALLER}, '') end",
            "subresource": f"case when {PAYLOAD}.serviceName = 'k8s.io' then {SUBRESOURCE} end",
        }
    ),
    "precedence": "0",
    "problem": f"case when nullif({METHOD}, '') is null "
    "then 'no protoPayload.methodName (not an entry of an audit log?)' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("gcp_audit").used)
