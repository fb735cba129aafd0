"""SQL over audit entries of Google's Cloud Logging, shared by the formats that read them.

``entry`` is a struct with the fields of :data:`FIELDS`. Both ``gcp_audit`` and
``kubernetes_audit`` read the entries of GKE and must read them alike.
"""

from __future__ import annotations

from jobs.stages.sql import NO_TEXT

SERVICE = (
    "rlike '(gserviceaccount[.]com|svc[.]id[.]goog\\\\[[^]]*\\\\])$|^serviceAccount:"
    "|^principal(Set)?://[^/]*/projects/.*/workloadIdentityPools/"
    "|^system:(serviceaccount:|node:|kube-|apiserver)'"
)
"""SQL of a test whether a name is a service account's, a workload's or the cluster's own."""


def own_name(entry: str) -> str:
    """SQL of the identity whose rights were used; null if no field names it.

    The name of a service account's key names the account too.
    """
    identity = f"{entry}.protoPayload.authenticationInfo"
    of_key = f"regexp_extract({identity}.serviceAccountKeyName, '/serviceAccounts/([^/]+)/', 1)"
    return (
        f"coalesce(nullif({identity}.principalEmail, ''), nullif({identity}.principalSubject, ''), "
        f"nullif({of_key}, ''))"
    )


def delegate(entry: str) -> str:
    """SQL of the identity that used a service account's rights; null if none did.

    It is the first name in the chain of delegation. Real logs have elements without a name.
    """
    chain = f"{entry}.protoPayload.authenticationInfo.serviceAccountDelegationInfo"
    names = (
        f"transform({chain}, one -> coalesce(nullif(one.firstPartyPrincipal.principalEmail, ''), "
        "nullif(one.principalSubject, '')))"
    )
    return f"get(filter({names}, name -> name is not null), 0)"


def outcome(entry: str) -> str:
    """SQL of `success`, `failure` or `unknown`.

    An empty status is a success: code 0 of google.rpc, which JSON leaves out. Without a status a
    granted permission is a success. The first of several entries of an operation has no result.
    """
    payload = f"{entry}.protoPayload"
    granted = f"transform({payload}.authorizationInfo, one -> lower(one.granted))"
    all_granted = f"array_join({granted}, ' ')"
    return (
        f"case when coalesce(try_cast({payload}.status.code as int), 0) <> 0 "
        f"or nullif({payload}.status.message, '') is not null "
        f"or {entry}.labels.`authorization.k8s.io/decision` = 'forbid' "
        f"or {payload}.methodName rlike '[.]loginFailure$' then 'failure' "
        f"when {entry}.operation.first = 'true' "
        f"and not coalesce({entry}.operation.last = 'true', false) then 'unknown' "
        f"when try_cast({payload}.status.code as int) = 0 then 'success' "
        f"when {all_granted} rlike '^(false ?)+$' "
        f"or {entry}.severity in ('ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY') "
        f"or {entry}.logName like '%cloudaudit.googleapis.com_2Fpolicy' then 'failure' "
        f"when {payload}.status is not null then 'success' "
        f"when {all_granted} rlike 'false' then 'failure' "
        f"when {all_granted} rlike 'true' then 'success' else 'unknown' end"
    )


def _part(entry: str, in_namespace: int | None, in_cluster: int | None) -> str:
    """SQL of one part of the name of a Kubernetes resource, by its place in both forms of names.

    `core/v1/namespaces/NAMESPACE/pods/NAME/exec` or `GROUP/v1/clusterroles/NAME`.
    """
    name = f"{entry}.protoPayload.resourceName"
    inside, outside = (
        NO_TEXT if place is None else f"get(split({name}, '/'), {place})"
        for place in (in_namespace, in_cluster)
    )
    namespaced = (
        f"({name} rlike '^[^/]+/[^/]+/namespaces/[^/]+/[^/]+' "
        f"and {entry}.protoPayload.methodName not like '%.namespaces.%')"
    )
    return f"nullif(case when {namespaced} then {inside} else {outside} end, '')"


def kubernetes_event(entry: str) -> dict[str, str]:
    """SQL of the fields of an Event of audit.k8s.io (dotted name → SQL) from an entry of GKE."""
    payload = f"{entry}.protoPayload"
    result = outcome(entry)
    own, user = own_name(entry), delegate(entry)
    # Codes of google.rpc that equal a status of HTTP.
    code = (
        f"case {payload}.status.code when '3' then '400' when '16' then '401' "
        "when '7' then '403' when '5' then '404' when '6' then '409' when '10' then '409' "
        "when '8' then '429' when '12' then '501' when '14' then '503' when '4' then '504' "
        f"else case when coalesce({payload}.status.code, '0') <> '0' then '500' "
        f"when {result} = 'success' then '200' end end"
    )
    return {
        "auditID": f"coalesce(nullif({entry}.operation.id, ''), {entry}.insertId)",
        "annotations.authorization.k8s.io/decision": (
            f"{entry}.labels.`authorization.k8s.io/decision`"
        ),
        "impersonatedUser.username": (
            f"coalesce(nullif({payload}.authenticationInfo.authoritySelector, ''), "
            f"case when {user} is not null then {own} end)"
        ),
        "objectRef.apiGroup": f"nullif(get(split({payload}.resourceName, '/'), 0), 'core')",
        "objectRef.name": _part(entry, 5, 3),
        "objectRef.namespace": _part(entry, 3, None),
        "objectRef.resource": _part(entry, 4, 2),
        "objectRef.subresource": _part(entry, 6, 4),
        "requestObject.spec.externalIPs": f"{payload}.request.spec.externalIPs",
        "requestObject.spec.type": f"{payload}.request.spec.type",
        "requestObject.subjects[]": f"{payload}.request.subjects",
        "requestReceivedTimestamp": f"{entry}.timestamp",
        "requestURI": f"concat('/', {payload}.resourceName)",
        "responseStatus.code": code,
        "responseStatus.reason": f"nullif({payload}.status.message, '')",
        "responseStatus.status": (
            f"case {result} when 'failure' then 'Failure' when 'success' then 'Success' end"
        ),
        "sourceIPs[]": f"array({payload}.requestMetadata.callerIp)",
        "stage": f"case when {entry}.operation.last = 'true' then 'ResponseComplete' "
        f"when {entry}.operation.first = 'true' then 'ResponseStarted' "
        "else 'ResponseComplete' end",
        "user.username": f"coalesce({user}, {own})",
        "userAgent": f"trim({payload}.requestMetadata.callerSuppliedUserAgent)",
        "verb": f"substring_index({payload}.methodName, '.', -1)",
    }
