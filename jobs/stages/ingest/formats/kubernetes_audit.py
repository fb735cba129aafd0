"""Kubernetes audit events (audit.k8s.io), alone or in the envelopes of clouds.

Traps handled here:

- One request makes several records with the same ``auditID``, one for each stage. The record of the
  last stage has the most details.
- ``exec`` over WebSocket has the verb ``get``, so the subresource decides and never the verb.
- ``kubectl cp`` is an ``exec`` of ``tar`` in the request's query.
- Under impersonation the actor is ``user``.
- Status 101 is a success.
- By a header a caller may write all of ``sourceIPs`` but the last address.
- Versions before v1 of the API have ``timestamp`` only.

AKS puts the Event, as text or as an object, into a diagnostic record. EKS puts it as text into a
log event of CloudWatch. GKE writes entries of its own, from which an Event is made; they lack the
request's query and so the command of an ``exec``. The cluster in a log goes before the cluster in
the config.
"""

from __future__ import annotations

from typing import Any

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat, Wrapper
from jobs.stages.ingest.openings import PUBLIC, SIGNED_IN, grantee_list
from jobs.stages.ingest.vendors.google_entries import SERVICE, kubernetes_event
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    chosen,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    quoted,
    url_decoded,
)
from schemas.formats.field_map import field_map, field_tree, record_type
from schemas.tables.values import POD_ENTRIES

ADDRESSES = "r.sourceIPs"
CLUSTER = "coalesce(cluster, '-')"
TARGET = "r.objectRef"
SUBRESOURCE = f"nullif({TARGET}.subresource, '')"
# Listing secrets or configmaps returns their contents, but most lists are not meant to read them.
VERB_CLASSES = {
    "list": "list watch",
    "inspect": "get head options",
    "write": "create update patch post put",
    "delete": "delete deletecollection",
    "assume": "impersonate",
    "execute": "proxy redirect connect",
}
CHANGES = "('create', 'update', 'patch', 'delete', 'deletecollection')"
RULES = (
    "('roles', 'rolebindings', 'clusterroles', 'clusterrolebindings', "
    "'validatingwebhookconfigurations', 'mutatingwebhookconfigurations', "
    "'validatingadmissionpolicies', 'validatingadmissionpolicybindings')"
)
REVIEWS = (
    "('tokenreviews', 'subjectaccessreviews', 'localsubjectaccessreviews', "
    "'selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews')"
)
WORKLOADS = (
    "('pods', 'jobs', 'deployments', 'statefulsets', 'daemonsets', 'cronjobs', 'replicasets', "
    "'replicationcontrollers')"
)


def event_class(verb: str, resource: str, subresource: str) -> str:
    """SQL of the class of a request; the subresource goes before the verb."""
    return (
        f"case when {subresource} in {POD_ENTRIES} then 'execute' "
        f"when {subresource} = 'ephemeralcontainers' and {verb} in {CHANGES} then 'execute' "
        f"when {subresource} = 'log' and {verb} = 'get' then 'read' "
        f"when {subresource} = 'token' and {verb} = 'create' then 'assume' "
        f"when {subresource} = 'eviction' and {verb} = 'create' then 'delete' "
        f"when {subresource} = 'approval' and {verb} in {CHANGES} then 'admin' "
        f"when {resource} in {REVIEWS} and {verb} = 'create' then 'inspect' "
        f"when {resource} in {RULES} and {verb} in {CHANGES} then 'admin' "
        f"when {resource} in {WORKLOADS} and {subresource} is null and {verb} = 'create' "
        "then 'submit' "
        f"when {resource} in ('secrets', 'configmaps', 'persistentvolumeclaims') "
        f"and {subresource} is null and {verb} = 'get' then 'read' "
        f"else {class_of(verb, VERB_CLASSES, quoted('other'))} end"
    )


def event_resource(cluster: str, path: str, *parts: str) -> str:
    """SQL of `k8s://cluster/namespace/resource/name`, or of the path if there is no object.

    ``parts``: SQL of namespace, resource and name; each may be null.
    """
    namespace, resource, name = parts
    return (
        f"case when {resource} is null then concat('k8s://', {cluster}, '/-', "
        f"coalesce({path}, '')) else concat_ws('/', 'k8s:/', {cluster}, "
        f"coalesce(nullif({namespace}, ''), '-'), {resource}, nullif({name}, '')) end"
    )


WAYS_IN = (
    "('ingresses', 'routes', 'httproutes', 'grpcroutes', 'tcproutes', 'tlsroutes', 'gateways')"
)
SUBJECT = (
    "case when s.name in ('system:anonymous', 'system:unauthenticated') "
    f"then '{PUBLIC}' when s.name = 'system:authenticated' then '{SIGNED_IN}' "
    "when s.kind = 'User' then concat('user://', s.name) end"
)


def event_opening(verb: str, resource: str, subresource: str, request: str) -> str:
    """SQL of whom a request opens something to, or null; ``request``: SQL of its body's struct.

    A binding that is logged with its body may name everybody or a person. Accounts of the cluster
    and other groups are its own. Nobody knows who reaches a service from outside of the cluster.
    """
    spec, subjects = f"{request}.spec", f"{request}.subjects"
    bound = grantee_list(f"transform({subjects}, s -> {SUBJECT})")
    return (
        f"case when {verb} not in ('create', 'update', 'patch') or {subresource} is not null "
        "then null "
        f"when {resource} in ('rolebindings', 'clusterrolebindings') then {bound} "
        f"when {resource} in {WAYS_IN} and {verb} = 'create' "
        f"then concat('unknown://', {resource}) "
        f"when {resource} <> 'services' then null "
        f"when {spec}.type = 'LoadBalancer' then 'unknown://load-balancer' "
        f"when {spec}.type = 'NodePort' then 'unknown://node-port' "
        f"when nullif({spec}.externalIPs, '[]') is not null then 'unknown://external-address' end"
    )


OPENED_TO, CLASS = "opened", "class"
DERIVED = (
    {OPENED_TO: event_opening("r.verb", f"{TARGET}.resource", SUBRESOURCE, "r.requestObject")},
    {
        CLASS: f"case when {OPENED_TO} is not null then 'share' else "
        + event_class("r.verb", f"{TARGET}.resource", SUBRESOURCE)
        + " end"
    },
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


# EKS names there the role and the session of the caller's key. The cluster's owners map them to a
# user name, which many callers may share.
EXTRA_SESSION, EXTRA_ARN, EXTRA_ROLE = map(_extra, ("sessionName", "arn", "canonicalArn"))

# The caller may choose the audit id. A new object may get its name only at a later stage.
SAME_EVENT = ("principal", "action", "if(action = 'create', '', resource)")

COLUMNS = {
    "event_id": "nullif(r.auditID, '')",
    "event_time": f"coalesce({iso_time('r.requestReceivedTimestamp')}, "
    f"{iso_time('r.stageTimestamp')}, {iso_time('r.`timestamp`')})",
    "principal": "coalesce(nullif(r.user.username, ''), 'system:anonymous')",
    # A caller chooses the name of a role session, so the ARN and the user name go before it.
    "names": one_a_line(EXTRA_ARN, "r.user.username", chosen(EXTRA_SESSION), EXTRA_ROLE),
    "kind_hint": f"case when r.user.username {SERVICE} then 'service' end",
    "acting_as": "coalesce(nullif(r.impersonatedUser.username, ''), "
    f"case when {EXTRA_ROLE} like '%:role/%' then {EXTRA_ROLE} end)",
    "credential": f"coalesce({_extra('accessKeyId')}, "
    f"{_extra('`authentication.kubernetes.io/credential-id`')})",
    "issued_credential": NO_TEXT,
    "action": f"case when {SUBRESOURCE} is not null "
    f"then concat({TARGET}.resource, '/', {SUBRESOURCE}) else r.verb end",
    "action_class": CLASS,
    "resource": event_resource(
        CLUSTER,
        "split_part(r.requestURI, '?', 1)",
        f"{TARGET}.namespace",
        f"{TARGET}.resource",
        f"{TARGET}.name",
    ),
    "object": NO_TEXT,
    "destination": OPENED_TO,
    "bytes_out": "cast(null as bigint)",
    "source_ip": address("seen_address"),
    "user_agent": "nullif(r.userAgent, '')",
    "outcome": f"case when {CODE} >= 400 or r.stage = 'Panic' or r.responseStatus.status = "
    "'Failure' or r.annotations.`authorization.k8s.io/decision` = 'forbid' then 'failure' "
    f"when {CODE} >= 100 or r.responseStatus.status = 'Success' then 'success' "
    "else 'unknown' end",
    "details": details_json(
        {
            "api_group": f"nullif({TARGET}.apiGroup, '')",
            "command": COMMAND,
            "decision": "r.annotations.`authorization.k8s.io/decision`",
            "forwarded_for": "forwarded_for",
            "reason": "nullif(r.responseStatus.reason, '')",
            "session_name": EXTRA_SESSION,
            "source_host": f"case when {address('seen_address')} is null "
            "then nullif(seen_address, '') end",
            "status_code": "r.responseStatus.code",
            "subresource": SUBRESOURCE,
            UNKNOWN_ACTION: f"case when {CLASS} = 'other' then r.verb end",
            "verb": "r.verb",
        }
    ),
    "precedence": "case r.stage when 'ResponseComplete' then 3 when 'Panic' then 2 "
    "when 'ResponseStarted' then 1 else 0 end",
    "problem": "case when nullif(r.auditID, '') is null then 'no auditID' "
    "when r.verb is null then 'no verb' end",
}


FIELDS = field_map("kubernetes_audit")
RECORD_TYPE = record_type(FIELDS.used)


def _struct(tree: dict[str, Any], values: dict[str, str], prefix: str = "") -> str:
    """SQL of a struct of the fields of ``tree``, null where ``values`` holds no SQL for them."""
    members = []
    for name, below in tree.items():
        value = values.get(f"{prefix}{name}", NO_TEXT)
        if below is not None and not name.endswith("[]"):
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


WRAPPERS = {
    "properties": Wrapper(
        "properties.log",
        record_type(FIELDS.wrappers["properties"]),
        "e.properties.log",
        as_text=True,
        fault="case when e.category not in ('kube-audit', 'kube-audit-admin') "
        "then concat('no audit event but of category ', e.category) end",
        # Azure writes its resource's name in capitals; case has no meaning there.
        cluster="lower(regexp_extract(e.resourceId, '(?i)/managedclusters/([^/]+)', 1))",
    ),
    "protoPayload": Wrapper(
        "",
        record_type(FIELDS.wrappers["protoPayload"]),
        _struct(field_tree(FIELDS.used), kubernetes_event("e")),
        fault="case when coalesce(e.protoPayload.serviceName, '') <> 'k8s.io' then concat("
        "'an entry not of k8s.io but of ', coalesce(e.protoPayload.serviceName, 'no service'), "
        "': for format gcp_audit') end",
        cluster="e.resource.labels.cluster_name",
    ),
    "message": _cloudwatch("message", "coalesce(batch, e.logGroup)"),
    "@message": _cloudwatch("@message", "coalesce(batch, e.`@log`)"),
}

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
        # Arrays of a webhook, of Azure, of CloudWatch and of ``gcloud logging read``.
        envelopes=("items", "records", "logEvents", ""),
        batches=("items", "records", "logEvents", ""),
        batch_origin={"logEvents": "logGroup"},
        wrappers=WRAPPERS,
        alone="auditID",
    ),
    addresses=ADDRESSES,
    derived=DERIVED,
    same_event=SAME_EVENT,
    in_stages=True,
)
