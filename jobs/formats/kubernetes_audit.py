"""Kubernetes audit events (audit.k8s.io).

Traps handled here: one request makes several records (one a stage) with the same ``auditID``, of
which the last stage tells most; ``exec`` over WebSocket has the verb ``get``, so the subresource
decides and never the verb; ``kubectl cp`` is an ``exec`` of ``tar`` in the request's query; under
impersonation the one who acted is ``user``; status 101 is a success.
"""

from __future__ import annotations

from jobs.formats import (
    ADDRESS,
    NO_TEXT,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    url_decoded,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES = ("items",)
KEEPS_TEXT = False

CLUSTER = "coalesce(cluster, '-')"
TARGET = "r.objectRef"
SUBRESOURCE = f"nullif({TARGET}.subresource, '')"
EXECUTES = f"{SUBRESOURCE} in ('exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers')"
VERB_CLASSES = {
    "list": "list watch",
    "write": "create update patch",
    "delete": "delete deletecollection",
    "assume": "impersonate",
}
LOOKING = "case when r.verb in ('get', 'head') then 'inspect' else 'other' end"
RULES = (
    "('roles', 'rolebindings', 'clusterroles', 'clusterrolebindings', "
    "'validatingwebhookconfigurations', 'mutatingwebhookconfigurations')"
)
CODE = "try_cast(r.responseStatus.code as int)"
# First commands of a query such as `command=tar&command=cf&command=-&container=main`.
COMMAND = (
    "nullif(array_join(transform(regexp_extract_all(r.requestURI, "
    f"'[?&]command=([^&]*)', 1), c -> {url_decoded('c')}), ' '), '')"
)
EXTRA_SESSION = 'regexp_extract(r.user.extra.sessionName, \'"([^"]+)"\', 1)'
EXTRA_ARN = 'regexp_extract(r.user.extra.arn, \'"([^"]+)"\', 1)'

COLUMNS = {
    "event_id": "nullif(r.auditID, '')",
    "event_time": f"coalesce({iso_time('r.requestReceivedTimestamp')}, "
    f"{iso_time('r.stageTimestamp')})",
    "principal": "coalesce(nullif(r.user.username, ''), 'system:anonymous')",
    "names": one_a_line(EXTRA_SESSION, EXTRA_ARN, "r.user.username"),
    "kind_hint": "case when r.user.username rlike "
    "'^system:(serviceaccount:|node:|kube-|apiserver)' then 'service' end",
    "acting_as": "nullif(r.impersonatedUser.username, '')",
    "credential": NO_TEXT,
    "issued_credential": NO_TEXT,
    "action": f"case when {SUBRESOURCE} is not null "
    f"then concat({TARGET}.resource, '/', {SUBRESOURCE}) else r.verb end",
    "action_class": f"case when {EXECUTES} then 'execute' "
    f"when {SUBRESOURCE} = 'log' then 'read' "
    f"when {SUBRESOURCE} = 'token' then 'assume' "
    f"when {TARGET}.resource in ('tokenreviews', 'subjectaccessreviews', "
    "'selfsubjectaccessreviews', 'selfsubjectrulesreviews') then 'inspect' "
    f"when {TARGET}.resource in {RULES} and r.verb in ('create', 'update', 'patch', 'delete') "
    "then 'admin' "
    f"when {TARGET}.resource in ('pods', 'jobs', 'deployments', 'statefulsets', 'daemonsets', "
    "'cronjobs') and r.verb = 'create' then 'submit' "
    f"when {TARGET}.resource in ('secrets', 'configmaps', 'persistentvolumeclaims') "
    "and r.verb = 'get' then 'read' "
    f"else {class_of('r.verb', VERB_CLASSES, LOOKING)} end",
    "resource": "case when r.objectRef.resource is null then "
    f"concat('k8s://', {CLUSTER}, '/-', coalesce(split_part(r.requestURI, '?', 1), '')) "
    f"else concat_ws('/', 'k8s:/', {CLUSTER}, coalesce(nullif({TARGET}.namespace, ''), '-'), "
    f"{TARGET}.resource, nullif({TARGET}.name, '')) end",
    "object": NO_TEXT,
    "destination": NO_TEXT,
    "bytes_out": "cast(null as bigint)",
    "source_ip": f"case when get(r.sourceIPs, 0) rlike '{ADDRESS}' then get(r.sourceIPs, 0) end",
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": f"case when {CODE} is null then 'unknown' when {CODE} >= 400 then 'failure' "
    "else 'success' end",
    "details": details_json(
        {
            "api_group": f"nullif({TARGET}.apiGroup, '')",
            "command": COMMAND,
            "decision": "r.annotations.`authorization.k8s.io/decision`",
            "reason": "nullif(r.responseStatus.reason, '')",
            "session_name": f"nullif({EXTRA_SESSION}, '')",
            "status_code": "r.responseStatus.code",
            "subresource": SUBRESOURCE,
            "verb": "r.verb",
        }
    ),
    "precedence": "case r.stage when 'ResponseComplete' then 3 when 'Panic' then 2 "
    "when 'ResponseStarted' then 1 else 0 end",
    "problem": "case when nullif(r.auditID, '') is null then 'no auditID' "
    "when r.verb is null then 'no verb' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("kubernetes_audit").used)
