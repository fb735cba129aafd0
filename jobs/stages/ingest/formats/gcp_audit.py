"""Google Cloud audit logs: entries of Data Access and Admin Activity logs, mainly of GCS.

Traps handled here: under impersonation ``principalEmail`` is the service account, and its user is
in ``serviceAccountDelegationInfo``, which may be empty; no bytes are logged; an
empty status is a success; the caller's address may be a word such as ``private``; ``insertId`` is
unique only beside the log's name and the time.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.kubernetes_audit import (
    event_class,
    event_opening,
    event_resource,
)
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat
from jobs.stages.ingest.openings import PUBLIC, SIGNED_IN, grantee_list
from jobs.stages.ingest.vendors.google_entries import (
    SERVICE,
    delegate,
    kubernetes_event,
    outcome,
    own_name,
)
from jobs.stages.sql import NO_TEXT, UNKNOWN_ACTION, class_of, details_json, iso_time, one_a_line
from schemas.formats.field_map import field_map, record_type

CLASSES = {
    "list": "storage.objects.list storage.buckets.list storage.managedFolders.list",
    "inspect": "storage.buckets.get storage.getIamPermissions storage.objects.getIamPolicy",
    "write": "storage.objects.create storage.objects.update storage.objects.patch "
    "storage.objects.compose storage.objects.restore storage.objects.move",
    "copy": "storage.objects.copy storage.objects.rewrite",
    "delete": "storage.objects.delete storage.buckets.delete",
    "query": "google.cloud.bigquery.v2.JobService.InsertJob jobservice.insert "
    "google.cloud.bigquery.v2.JobService.Query jobservice.query jobservice.jobcompleted "
    "google.cloud.bigquery.v2.JobService.GetQueryResults jobservice.getqueryresults",
    "read": "storage.objects.get google.cloud.bigquery.v2.TableDataService.List "
    "tabledataservice.list",
    "share": "storage.hmacKeys.create",
    "admin": "google.iam.admin.v1.CreateServiceAccountKey "
    "google.iam.admin.v1.UploadServiceAccountKey",
}
# Methods not listed above, by their last word, for every service. The entry itself does not state
# these classes.
WORDS = (
    (
        "share",
        "setIam(Policy|Permissions)|(create|update)WorkloadIdentityPoolProvider"
        "|move(Project|Folder)",
    ),
    ("assume", "Generate(AccessToken|IdToken)|Sign(Blob|Jwt)|ExchangeToken"),
    ("sign_in", "login(Success|Failure|Verification|Challenge)?|AuthorizeUser"),
    (
        "query",
        "((server)?stream(ing)?|direct|direct_?stream|raw|streamRaw|batch)?Predict|Explain"
        "|(stream|batch)?GenerateContent|ChatCompletions|(count|compute)Tokens|EmbedContent"
        "|Execute(Batch|Streaming)?(Dml|Sql)|(run|batchRun|execute)?(Aggregation)?Query"
        "|RunAggregationQuery",
    ),
    ("copy", "(create|run|update)TransferJob"),
)
# Beginnings of the last word: `list`, `ListKeys`, `aggregatedList`, but not `Listen`.
COPYING = "(batch)?(export|copy|rewrite)"
LISTING = "(batch|aggregated)?(list|search|watch)"
LOOKING = "(batch)?(get|head|test|check|describe|lookup)"
READING = "(batch|streaming)?(access|read|download|pull|fetch|install)"
REMOVING = "(batch)?(delete|purge|destroy)"
WRITING = "(batch)?(create|insert|update|patch|write|upload|put|compose|import|append)"
PAYLOAD = "r.protoPayload"
IDENTITY = f"{PAYLOAD}.authenticationInfo"
METHOD = f"{PAYLOAD}.methodName"
WORD, STATED, CLASS, OUTCOME = "word", "stated", "class", "result"
OWN_NAME, DELEGATE, ACTOR, EVENT = "own_name", "delegate", "actor", "event"


def _bare(name: str) -> str:
    """SQL of a name without its kind: `user:ana@example.com`."""
    return f"regexp_replace({name}, '^(user|serviceAccount):', '')"


def _object_uri(name: str) -> str:
    """SQL of `gs://bucket/object` from a resource's name; null for other resources."""
    pattern = "(?s)^(?:.*/)?projects/[^/]+/buckets/([^/]+)(?:/objects/(.*))?"
    bucket, key = (f"nullif(regexp_extract({name}, '{pattern}', {n}), '')" for n in (1, 2))
    return f"case when {bucket} is not null then concat_ws('/', 'gs:/', {bucket}, {key}) end"


def _table_uri(name: str) -> str:
    """SQL of the URI of BigQuery's table from its name (`projects/…/tables/…`), else null."""
    project = f"regexp_extract({name}, '^projects/([^/]+)/datasets/', 1)"
    return (
        f"case when {name} rlike '^projects/[^/]+/datasets/' "
        f"then concat_ws('/', 'gcp:/', {project}, 'bigquery.googleapis.com', {name}) end"
    )


def _is(words: str) -> str:
    """SQL of whether the method's last word matches the pattern ``words``, in any case."""
    return f"{WORD} rlike '^(?i:{words})$'"


def _begins(words: str) -> str:
    """SQL of whether the last word begins with ``words``, before a capital or a digit."""
    return f"{WORD} rlike '^(?i:{words})([A-Z0-9].*)?$'"


TARGET = f"{PAYLOAD}.metadata.destination"
JOB = tuple(
    f"{PAYLOAD}.metadata.{change}.job.jobConfig" for change in ("jobInsertion", "jobChange")
)


def _of_job(field: str) -> str:
    """SQL of a field of BigQuery's job, from the entry of its creation or of its change."""
    return f"coalesce({', '.join(f'{job}.{field}' for job in JOB)})"


# The change of a policy, where the service logs it.
DELTAS = tuple(
    f"{PAYLOAD}.{place}.bindingDeltas"
    for place in (
        "serviceData.policyDelta",
        "metadata.datasetChange",
        "metadata.tableDataChange",
        "metadata.policyDelta",
    )
)
MEMBERS = tuple(
    f"transform({deltas}, one -> case when coalesce(one.action, 'ADD') <> 'REMOVE' "
    "then one.member end)"
    for deltas in DELTAS
)
# Else the whole new policy.
BINDINGS = f"{PAYLOAD}.request.policy.bindings"
WHOLE = f"flatten(transform({BINDINGS}, one -> coalesce(one.members, array())))"


def _grantee(member: str) -> str:
    """SQL of a grantee from a member of a policy such as `user:ana@example.com`."""
    kind = f"substring_index({member}, ':', 1)"
    name = f"substring({member}, instr({member}, ':') + 1)"
    return (
        f"case when {member} = 'allUsers' then '{PUBLIC}' "
        f"when {member} = 'allAuthenticatedUsers' then '{SIGNED_IN}' "
        f"when {member} like 'principal%://%' then {member} "
        f"when {kind} in ('user', 'serviceAccount') then concat('user://', {name}) "
        f"when {kind} in ('group', 'domain') then concat({kind}, '://', {name}) "
        f"when {kind} like 'project%' then concat('account://', {name}) "
        "else 'unknown://member' end"
    )


ADDED = f"coalesce({', '.join((*MEMBERS, WHOLE))})"
GIVES_RIGHTS = f"coalesce(exists(coalesce({', '.join(MEMBERS)}), one -> length(one) > 0), false)"
"""SQL of whether the change of a policy, under any method, adds somebody."""
OWN_PROJECT = "concat('account://', coalesce(r.resource.labels.project_id, ''))"
OPENED_TO = (
    f"case when {METHOD} = 'storage.hmacKeys.create' then 'link://hmac-key' "
    f"when {ADDED} is null then concat('unknown://', {METHOD}) else "
    + grantee_list(
        f"transform(filter({ADDED}, m -> length(m) > 0), m -> {_grantee('m')})", but=OWN_PROJECT
    )
    + " end"
)
JOB_TYPE = _of_job("type")
QUERY = "queryConfig"
STATISTICS = f"{PAYLOAD}.metadata.jobChange.job.jobStats.queryStats"
# A query may export its result, or write it into another project.
RESULT_TABLE = _of_job(f"{QUERY}.destinationTable")
EXPORTS = f"coalesce({_of_job(f'{QUERY}.statementType')} = 'EXPORT_DATA', false)"
SENDS_AWAY = (
    f"({EXPORTS} or coalesce(instr({RESULT_TABLE}, "
    "concat('projects/', nullif(r.resource.labels.project_id, ''), '/')) <> 1, false))"
)
JOB_SOURCE = (
    f"coalesce({_of_job('extractConfig.sourceTable')}, "
    f"get({_of_job('tableCopyConfig.sourceTables')}, 0), "
    f"case when {SENDS_AWAY} then get({STATISTICS}.referencedTables, 0) end)"
)
EXPORTED_TO = (
    f"nullif(regexp_extract({_of_job(f'{QUERY}.query')}, "
    "'(?:gs|s3|azure)://[A-Za-z0-9][A-Za-z0-9._/-]*', 0), '')"
)
URIS = _of_job("extractConfig.destinationUris")
JOB_TARGET = (
    f"coalesce({_table_uri(_of_job('tableCopyConfig.destinationTable'))}, "
    f"array_join({URIS}, '\\n'), "
    f"case when {EXPORTS} then coalesce({EXPORTED_TO}, 'unknown://export') "
    f"when {SENDS_AWAY} then {_table_uri(RESULT_TABLE)} end)"
)
# Models, databases and packages, by their services.
EXPORT_PATHS = (
    "body.exportContext.uri",
    "exportConfig.gcsDestination.outputUriPrefix",
    "gcsDestination.uri",
    "gcsPath",
    "outputConfig.artifactDestination.outputUriPrefix",
    "outputConfig.gcsDestination.outputUriPrefix",
    "outputUriPrefix",
    "outputUrlPrefix",
)
EXPORT_TARGET = (
    "coalesce(" + ", ".join(f"nullif({PAYLOAD}.request.{path}, '')" for path in EXPORT_PATHS) + ")"
)
# A transfer job: its service account copies from bucket to bucket.
TRANSFER = f"{PAYLOAD}.request.transferJob.transferSpec"
TRANSFER_SOURCE = (
    f"coalesce(concat('gs://', nullif({TRANSFER}.gcsDataSource.bucketName, '')), "
    f"concat('s3://', nullif({TRANSFER}.awsS3DataSource.bucketName, '')))"
)
TRANSFER_TARGET = (
    f"coalesce(concat('gs://', nullif({TRANSFER}.gcsDataSink.bucketName, '')), "
    f"case when {TRANSFER}.posixDataSink.rootDirectory is not null then 'unknown://posix' end)"
)
IS_COPY = f"({METHOD} = 'storage.objects.get' and nullif({TARGET}, '') is not null)"
IS_KUBERNETES = f"{PAYLOAD}.serviceName = 'k8s.io'"
CODE = f"try_cast({PAYLOAD}.status.code as int)"
CALLER = f"{PAYLOAD}.requestMetadata.callerIp"
# The kind of access by the permissions checked, or else by the name of the log.
STATEMENT = (
    f"coalesce(nullif(array_join(transform({PAYLOAD}.authorizationInfo, "
    "one -> one.permissionType), ' '), ''), "
    "case when r.logName like '%cloudaudit.googleapis.com_2Factivity' "
    "or r.logName like '%cloudaudit.googleapis.com_2Fsystem_event' then 'ADMIN_WRITE' end, '')"
)
OTHER_CLASS = f"""case
    {" ".join(f"when {_is(words)} then '{name}'" for name, words in WORDS)}
    when {METHOD} rlike '[.](exec|attach|portforward)[.](create|get)$' then 'execute'
    when {_begins(COPYING)} then 'copy'
    when {_begins(REMOVING)} then 'delete'
    when {_begins(LISTING)} then 'list'
    when {STATED} like '%DATA_WRITE%' and ({STATED} not like '%DATA_READ%' or {_begins(WRITING)})
      then 'write'
    when {STATED} like '%DATA_READ%' and {_is(".*IamPolicy")} then 'inspect'
    when {STATED} like '%DATA_READ%' then 'read'
    when {STATED} like '%ADMIN_WRITE%' then 'admin'
    when {STATED} like '%ADMIN_READ%' then 'inspect'
    when {_begins(READING)} then 'read'
    when {_begins(LOOKING)} then 'inspect'
    when {_begins(WRITING)} then 'write'
    else 'other' end"""
EVENT_FIELDS = ("apiGroup", "name", "namespace", "resource", "subresource")
EVENT_SQL = kubernetes_event("r")
EVENT_STRUCT = ", ".join(f"'{name}', {EVENT_SQL[f'objectRef.{name}']}" for name in EVENT_FIELDS)

EVENT_PARTS = (f"{EVENT}.verb", f"{EVENT}.resource", f"{EVENT}.subresource")
EVENT_OPENS = event_opening(*EVENT_PARTS, f"{PAYLOAD}.request")

DERIVED = (
    {
        WORD: f"regexp_extract({METHOD}, '([A-Za-z0-9]+)$', 1)",
        STATED: STATEMENT,
        OWN_NAME: own_name("r"),
        DELEGATE: delegate("r"),
        OUTCOME: outcome("r"),
        EVENT: f"case when {IS_KUBERNETES} then "
        f"named_struct({EVENT_STRUCT}, 'verb', {EVENT_SQL['verb']}) end",
    },
    {
        ACTOR: f"coalesce({DELEGATE}, {OWN_NAME})",
        CLASS: f"case when {EVENT} is not null "
        f"then if({EVENT_OPENS} is not null, 'share', {event_class(*EVENT_PARTS)}) "
        f"when {IS_COPY} or {JOB_TYPE} in ('EXPORT', 'COPY') or {SENDS_AWAY} then 'copy' "
        f"when {GIVES_RIGHTS} then 'share' "
        f"when {JOB_TYPE} = 'IMPORT' then 'write' "
        f"when {PAYLOAD}.metadata.tableDataRead.reason is not null then 'read' "
        f"else {class_of(METHOD, CLASSES, OTHER_CLASS)} end",
    },
)

COLUMNS = {
    # An operation's first and last entries are one event; the last entry has the result.
    "event_id": "coalesce(case when nullif(r.operation.id, '') is not null "
    "and (coalesce(r.operation.first, '') = 'true') <> (coalesce(r.operation.last, '') = 'true') "
    f"then concat_ws('/', 'operation', r.operation.id, {METHOD}, r.logName) end, "
    "concat_ws('/', nullif(r.insertId, ''), r.timestamp, "
    "case when nullif(r.insertId, '') is null then "
    f"md5(concat_ws('|', {METHOD}, {PAYLOAD}.resourceName, {ACTOR})) end, r.logName), '-')",
    "event_time": iso_time("r.timestamp"),
    "principal": f"coalesce({ACTOR}, if({EVENT} is null, 'anonymous', 'system:anonymous'))",
    # If a service uses another service account, the directory may know only that account. The
    # account never stands for a person who used it.
    "names": one_a_line(
        ACTOR,
        f"nullif({_bare(ACTOR)}, {ACTOR})",
        f"case when {DELEGATE} is null then {_bare(f'{IDENTITY}.principalSubject')} end",
        f"case when {DELEGATE} {SERVICE} then {OWN_NAME} end",
    ),
    # System events are Google's own; no person causes them.
    "kind_hint": f"case when {ACTOR} {SERVICE} "
    "or r.logName like '%cloudaudit.googleapis.com_2Fsystem_event' then 'service' end",
    "acting_as": f"coalesce(case when {EVENT} is not null "
    f"then nullif({IDENTITY}.authoritySelector, '') end, "
    f"case when {DELEGATE} is not null then {OWN_NAME} end)",
    "credential": f"nullif(substring_index({IDENTITY}.serviceAccountKeyName, '/', -1), '')",
    "issued_credential": NO_TEXT,
    "action": METHOD,
    "action_class": CLASS,
    "resource": f"coalesce({TRANSFER_SOURCE}, {_object_uri(f'{PAYLOAD}.resourceName')}, "
    f"case when {EVENT} is not null then "
    + event_resource(
        "coalesce(nullif(r.resource.labels.cluster_name, ''), cluster, '-')",
        f"concat('/', {PAYLOAD}.resourceName)",
        *(f"{EVENT}.{part}" for part in ("namespace", "resource", "name")),
    )
    + f" end, {_table_uri(JOB_SOURCE)}, "
    "concat_ws('/', 'gcp:/', coalesce(nullif(r.resource.labels.project_id, ''), '-'), "
    f"coalesce(nullif({PAYLOAD}.serviceName, ''), '-'), nullif({PAYLOAD}.resourceName, '')))",
    "object": NO_TEXT,
    "destination": f"case when {IS_COPY} then coalesce({_object_uri(TARGET)}, {TARGET}) "
    f"when {CLASS} = 'copy' then coalesce({TRANSFER_TARGET}, {JOB_TARGET}, {EXPORT_TARGET}) "
    f"when {CLASS} = 'share' then if({EVENT} is not null, {EVENT_OPENS}, {OPENED_TO}) end",
    "bytes_out": "cast(null as bigint)",
    "source_ip": address(CALLER),
    "user_agent": f"nullif(trim({PAYLOAD}.requestMetadata.callerSuppliedUserAgent), '')",
    "outcome": OUTCOME,
    "details": details_json(
        {
            "api_group": f"{EVENT}.apiGroup",
            "decision": "nullif(r.labels.`authorization.k8s.io/decision`, '')",
            "error_code": f"case when {CODE} <> 0 then cast({CODE} as string) end",
            "operation": "nullif(r.operation.id, '')",
            "permission_types": f"nullif({STATED}, '')",
            "project": "nullif(r.resource.labels.project_id, '')",
            "reason": f"nullif(substring({PAYLOAD}.status.message, 1, 500), '')",
            "requested_bytes": f"{PAYLOAD}.metadata.requested_bytes",
            "service": f"nullif({PAYLOAD}.serviceName, '')",
            "source_host": f"case when {address(CALLER)} is null then nullif({CALLER}, '') end",
            "subresource": f"{EVENT}.subresource",
            "third_party": f"substring(coalesce({IDENTITY}.thirdPartyPrincipal, "
            f"get({IDENTITY}.serviceAccountDelegationInfo, 0).thirdPartyPrincipal), 1, 500)",
            UNKNOWN_ACTION: f"case when {CLASS} = 'other' then {METHOD} end",
            "verb": "event.verb",
        }
    ),
    "precedence": "case when r.operation.last = 'true' then 1 else 0 end",
    "problem": "case when nullif(r.protopayload_auditlog.methodName, '') is not null "
    "then 'an entry in the form of BigQuery, which is not read: let a sink write to Cloud Storage' "
    f"when nullif({METHOD}, '') is null "
    "then 'no protoPayload.methodName (not an entry of an audit log?)' end",
}


RECORD_TYPE = record_type(field_map("gcp_audit").used)

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
        # ``gcloud logging read --format=json`` writes a bare JSON array.
        envelopes=("",),
    ),
    derived=DERIVED,
)
