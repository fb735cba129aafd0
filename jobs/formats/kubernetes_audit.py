"""Kubernetes audit events (audit.k8s.io), alone or in what clouds put them.

Traps handled here: one request makes several records (one a stage) with the same ``auditID``, of
which the last stage tells most; ``exec`` over WebSocket has the verb ``get``, so the subresource
decides and never the verb; ``kubectl cp`` is an ``exec`` of ``tar`` in the request's query; under
impersonation the one who acted is ``user``; status 101 is a success.

AKS puts the Event, as text or as an object, into a diagnostic record, EKS as text into a log event
of CloudWatch; GKE writes its own entries, from which an Event is put together (without the
request's query, so without the command of an ``exec``). A cluster that the log names goes before
the one in the config, which is for logs that name none.
"""

from __future__ import annotations

from typing import Any

from jobs.formats import (
    NO_TEXT,
    Wrapper,
    address,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    quoted,
    url_decoded,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, field_tree, record_type

ENVELOPES = ("items", "records", "logEvents", "")
"""A webhook's batch, Azure's, CloudWatch's, and what ``gcloud logging read`` writes."""
BATCHES = ENVELOPES
BATCH = {"logEvents": "logGroup"}
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


def _extra(name: str) -> str:
    """SQL of the first of the texts listed under a name of ``user.extra``; null for none."""
    return f"nullif(regexp_extract(r.user.extra.{name}, '\"([^\"]+)\"', 1), '')"


# EKS says there which role and session the caller's key belongs to. The user name is what the
# cluster's owners made of that, and many may share it.
EXTRA_SESSION, EXTRA_ARN, EXTRA_ROLE = map(_extra, ("sessionName", "arn", "canonicalArn"))

COLUMNS = {
    "event_id": "nullif(r.auditID, '')",
    "event_time": f"coalesce({iso_time('r.requestReceivedTimestamp')}, "
    f"{iso_time('r.stageTimestamp')})",
    "principal": "coalesce(nullif(r.user.username, ''), 'system:anonymous')",
    "names": one_a_line(EXTRA_SESSION, EXTRA_ARN, "r.user.username", EXTRA_ROLE),
    "kind_hint": "case when r.user.username rlike "
    "'^system:(serviceaccount:|node:|kube-|apiserver)|[.]gserviceaccount[.]com$' "
    "then 'service' end",
    "acting_as": "coalesce(nullif(r.impersonatedUser.username, ''), "
    f"case when {EXTRA_ROLE} like '%:role/%' then {EXTRA_ROLE} end)",
    "credential": f"coalesce({_extra('accessKeyId')}, "
    f"{_extra('`authentication.kubernetes.io/credential-id`')})",
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
    "source_ip": address("get(r.sourceIPs, 0)"),
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": f"case when {CODE} is null then 'unknown' when {CODE} >= 400 then 'failure' "
    "else 'success' end",
    "details": details_json(
        {
            "api_group": f"nullif({TARGET}.apiGroup, '')",
            "command": COMMAND,
            "decision": "r.annotations.`authorization.k8s.io/decision`",
            "reason": "nullif(r.responseStatus.reason, '')",
            "session_name": EXTRA_SESSION,
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


FIELDS = field_map("kubernetes_audit")
RECORD_TYPE = record_type(FIELDS.used)

PAYLOAD = "e.protoPayload"
IDENTITY = f"{PAYLOAD}.authenticationInfo"
METHOD = f"{PAYLOAD}.methodName"
NAME = f"{PAYLOAD}.resourceName"
# core/v1/namespaces/NAMESPACE/pods/NAME/exec or rbac.authorization.k8s.io/v1/clusterroles/NAME
IN_NAMESPACE = (
    f"({NAME} rlike '^[^/]+/[^/]+/namespaces/[^/]+/[^/]+' and {METHOD} not like '%.namespaces.%')"
)


def _part(in_namespace: int | None, in_cluster: int | None) -> str:
    """SQL of one part of a resource's name, by its place in names of either kind."""
    inside, outside = (
        NO_TEXT if place is None else f"get(split({NAME}, '/'), {place})"
        for place in (in_namespace, in_cluster)
    )
    return f"nullif(case when {IN_NAMESPACE} then {inside} else {outside} end, '')"


# Codes of google.rpc that say no more than the status of HTTP they stand for.
STATUS = (
    f"coalesce(case {PAYLOAD}.status.code when '3' then '400' when '16' then '401' "
    "when '7' then '403' when '5' then '404' when '6' then '409' when '10' then '409' "
    "when '8' then '429' when '12' then '501' when '14' then '503' when '4' then '504' end, "
    f"if(coalesce({PAYLOAD}.status.code, '0') = '0', '200', '500'))"
)
GKE_EVENT = {
    "auditID": "coalesce(nullif(e.operation.id, ''), e.insertId)",
    "annotations.authorization.k8s.io/decision": "e.labels.`authorization.k8s.io/decision`",
    "impersonatedUser.username": f"{IDENTITY}.authoritySelector",
    "objectRef.apiGroup": f"nullif(get(split({NAME}, '/'), 0), 'core')",
    "objectRef.name": _part(5, 3),
    "objectRef.namespace": _part(3, None),
    "objectRef.resource": _part(4, 2),
    "objectRef.subresource": _part(6, 4),
    "requestReceivedTimestamp": "e.timestamp",
    "requestURI": f"concat('/', {NAME})",
    "responseStatus.code": STATUS,
    "responseStatus.reason": f"nullif({PAYLOAD}.status.message, '')",
    "sourceIPs[]": f"array({PAYLOAD}.requestMetadata.callerIp)",
    "stage": "case when e.operation.last = 'true' then 'ResponseComplete' "
    "when e.operation.first = 'true' then 'ResponseStarted' else 'ResponseComplete' end",
    "user.username": f"coalesce(nullif({IDENTITY}.principalEmail, ''), "
    f"{IDENTITY}.principalSubject)",
    "userAgent": f"{PAYLOAD}.requestMetadata.callerSuppliedUserAgent",
    "verb": f"substring_index({METHOD}, '.', -1)",
}


def _struct(tree: dict[str, Any], values: dict[str, str], prefix: str = "") -> str:
    """SQL of a struct of the fields of ``tree``, null where ``values`` holds no SQL for them."""
    members = []
    for name, below in tree.items():
        value = values.get(f"{prefix}{name}", NO_TEXT)
        if below is not None:
            value = _struct(below, values, f"{prefix}{name}.")
        members.append(f"{quoted(name.removesuffix('[]'))}, {value}")
    return f"named_struct({', '.join(members)})"


def _cloudwatch(text: str, group: str) -> Wrapper:
    """A log event of CloudWatch with its text and the name of its log group."""
    return Wrapper(
        text,
        record_type(FIELDS.wrappers[text]),
        f"e.`{text}`",
        as_text=True,
        cluster=f"regexp_extract({group}, '/aws/eks/([^/]+)/cluster', 1)",
    )


ALONE = "auditID"
WRAPPERS = {
    "properties": Wrapper(
        "properties.log",
        record_type(FIELDS.wrappers["properties"]),
        "e.properties.log",
        as_text=True,
        fault="case when e.category not in ('kube-audit', 'kube-audit-admin') "
        "then concat('no audit event but of category ', e.category) end",
        # Azure writes its resource's name in capitals, in which they say nothing.
        cluster="lower(regexp_extract(e.resourceId, '(?i)/managedclusters/([^/]+)', 1))",
    ),
    "protoPayload": Wrapper(
        "",
        record_type(FIELDS.wrappers["protoPayload"]),
        _struct(field_tree(FIELDS.used), GKE_EVENT),
        fault=f"case when coalesce({PAYLOAD}.serviceName, '') <> 'k8s.io' then "
        f"concat('an entry not of k8s.io but of ', coalesce({PAYLOAD}.serviceName, 'no service'), "
        "': for format gcp_audit') end",
        cluster="e.resource.labels.cluster_name",
    ),
    "message": _cloudwatch("message", "coalesce(batch, e.logGroup)"),
    "@message": _cloudwatch("@message", "coalesce(batch, e.`@log`)"),
}
