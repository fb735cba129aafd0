"""To whom calls of AWS open an asset, from their parameters as CloudTrail logs them.

Traps handled here:

- A policy is an object for S3 and text for other services. ``Statement`` may be one object.
- Statements with ``Effect: Deny`` open nothing. Conditions are not read: they may name
  anybody.
- ``NotPrincipal`` with ``Allow`` opens to everybody else.
- S3 logs ``policy: ""`` and ``acl: ""`` besides the policy; these are parts of the address.
- Owners stand among the grants of their own ACL.
- Permissions of snapshots and images are added and removed by one verb.
- Only a job of S3 Batch Operations has an ``operation``. The job's role copies, not the caller.
"""

from __future__ import annotations

from jobs.stages.ingest.openings import PUBLIC, SIGNED_IN, grantee_list, one_if
from jobs.stages.sql import quoted

PARAMETERS = "r.requestParameters"


def _texts(*names: str) -> str:
    """SQL of the values of parameters, with spaces between them; empty without any."""
    return f"concat_ws(' ', {', '.join(f'{PARAMETERS}.`{name}`' for name in names)})"


POLICY = (
    "coalesce("
    + ", ".join(
        f"nullif(trim({PARAMETERS}.{name}), '')"
        for name in (
            "bucketPolicy",
            "policyText",
            "resourcePolicy",
            "policyDocument",
            "assumeRolePolicyDocument",
            "policy",
        )
    )
    + ")"
)
STATEMENT = "struct<Effect:string,Principal:string,NotPrincipal:string>"
GRANTED = _texts(
    "accountIds",
    "accountIdsToAdd",
    "accountWithRestoreAccess",
    "consumerIdentifier",
    "grantee",
    "granteePrincipal",
    "principal",
    "principals",
    "valuesToAdd",
)
ADDED = (
    f"concat_ws(' ', {PARAMETERS}.createVolumePermission.add, {PARAMETERS}.launchPermission.add)"
)
REMOVED = (
    f"concat_ws(' ', {PARAMETERS}.createVolumePermission.remove, "
    f"{PARAMETERS}.launchPermission.remove, {PARAMETERS}.valuesToRemove, "
    f"{PARAMETERS}.accountIdsToRemove)"
)
ACL_LIST = f"{PARAMETERS}.AccessControlPolicy.AccessControlList"
OWNER = f"nullif({PARAMETERS}.AccessControlPolicy.Owner.ID, '')"
GRANTS = _texts(*(f"x-amz-grant-{right}" for right in ("full-control", "read", "write-acp")))
CANNED = f"nullif({PARAMETERS}.`x-amz-acl`, '')"
ACL = (
    f"concat_ws(' ', replace({ACL_LIST}, coalesce({OWNER}, '-'), ''), {GRANTS}, "
    f"case when {CANNED} like '%public-read%' then 'AllUsers' "
    f"when {CANNED} like '%authenticated-read%' then 'AuthenticatedUsers' else {CANNED} end)"
)
BLOCK = f"nullif({PARAMETERS}.PublicAccessBlockConfiguration, '')"
REPLICATION = (
    f"coalesce(nullif({PARAMETERS}.ReplicationConfiguration, ''), "
    f"case when verb = 'CreateJob' then nullif({PARAMETERS}.operation, '') end)"
)
"""Rules of replication, and copies by S3 Batch Operations: both name buckets."""

OPENS_TO_ALL = (
    "DeletePublicAccessBlock DeleteBucketPublicAccessBlock DeleteAccountPublicAccessBlock "
    "DisableSnapshotBlockPublicAccess DisableImageBlockPublicAccess"
).split()
"""Verbs that lift a bar before everybody."""
OPENS_NOTHING_YET = (
    "CreateAccessPoint CreateAccessPointForObjectLambda CreateMultiRegionAccessPoint "
    "CreateResourceShare"
).split()
"""Verbs whose grantees, if the call names none, come by another call."""
OPENS_SOMETIMES = (
    "CreateGrant PutKeyPolicy CreateRole UpdateAssumeRolePolicy CreateBucket CreateMultipartUpload "
    "PutObject CopyObject CreateJob"
).split()
"""Verbs of other classes, which are a share if they name somebody outside of the account."""

POLICY_TEXT, PRINCIPALS, GRANTEES, OPENED_TO = (
    "policy_text",
    "principals_told",
    "grantees",
    "opened",
)


def _listed(verbs: list[str]) -> str:
    return f"verb in ({', '.join(map(quoted, verbs))})"


def _digits(text: str) -> str:
    """SQL of an array of the grantees whose account ids stand in a text."""
    numbers = f"split(regexp_replace({text}, '[^0-9]+', ' '), ' ')"
    return f"transform(filter({numbers}, n -> length(n) = 12), n -> concat('account://', n))"


def _found(pattern: str, text: str, scheme: str) -> str:
    """SQL of an array of the grantees that match a pattern in a text."""
    return f"transform(regexp_extract_all({text}, '{pattern}', 0), n -> concat('{scheme}', n))"


STATEMENTS = (
    f"coalesce(from_json({POLICY_TEXT}, 'struct<Statement:array<{STATEMENT}>>').Statement, "
    f"array(from_json({POLICY_TEXT}, 'struct<Statement:{STATEMENT}>').Statement))"
)
TOLD = f"concat_ws(' ', {PRINCIPALS}, {GRANTED}, {ADDED})"
OWN = "concat('account://', coalesce(r.recipientAccountId, ''))"
ARRAYS = (
    _digits(TOLD),
    _found("[0-9a-f]{64}", f"concat_ws(' ', {TOLD}, {ACL})", "account://"),
    _found("[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+", ACL, "user://"),
    f"transform(regexp_extract_all({REPLICATION}, 'arn:[^:\"]*:s3:::([^\"/]+)', 1), "
    "n -> concat('s3://', n))",
    f"transform(regexp_extract_all({REPLICATION}, 'Account\"[^0-9]{{1,5}}([0-9]{{12}})', 1), "
    "n -> concat('account://', n))",
    one_if(
        f"{TOLD} rlike '(^|[ \"])([*]|all)([ \"]|$)' or {ACL} like '%AllUsers%' "
        f"or {_listed(OPENS_TO_ALL)} or lower({BLOCK}) like '%false%'",
        PUBLIC,
    ),
    one_if(f"{ACL} like '%AuthenticatedUsers%'", SIGNED_IN),
    one_if("verb = 'PutBucketWebsite'", "link://website"),
    one_if(f"{PRINCIPALS} like '%?%'", "unknown://policy"),
    # Somebody of another provider of identities, or an id of a principal that was deleted.
    one_if(
        f"{PRINCIPALS} <> '' and not {PRINCIPALS} rlike "
        "'[0-9]{12}|[0-9a-f]{64}|[*?]|[.]amazonaws[.]com'",
        "unknown://principal",
    ),
)
SAID_NOTHING = (
    f"trim(concat_ws('', {POLICY_TEXT}, {TOLD}, {REMOVED}, {ACL}, {BLOCK}, {REPLICATION})) = ''"
)


def openings(share: str) -> tuple[dict[str, str], ...]:
    """SQL by name, in groups, of ``opened``: the grantees, or null.

    ``share``: SQL of whether the verb is a share. Then a call that names nobody is opened to
    ``unknown://VERB``. The record's own account is no grantee.
    """
    sometimes = _listed(OPENS_SOMETIMES)
    return (
        {POLICY_TEXT: f"case when {share} or {sometimes} then {POLICY} end"},
        {
            # `?` stands for a statement that is not understood.
            PRINCIPALS: f"case when {POLICY_TEXT} is not null then concat_ws(' ', "
            f"transform({STATEMENTS}, s -> case when s.Effect = 'Deny' then null "
            "else coalesce(s.Principal, if(s.NotPrincipal is not null, '*', '?')) end)) end"
        },
        {GRANTEES: f"case when {share} or {sometimes} then {grantee_list(*ARRAYS, but=OWN)} end"},
        {
            OPENED_TO: f"coalesce({GRANTEES}, case when {share} and {SAID_NOTHING} "
            f"and not {_listed(OPENS_NOTHING_YET)} then concat('unknown://', verb) end)"
        },
    )
