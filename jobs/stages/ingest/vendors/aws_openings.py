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
- Any service may take a policy under any verb. So every verb that changes something is read for a
  policy that names somebody else. Policies of VPC endpoints only bar.
- A role that trusts a public provider of identities trusts all its customers. The provider stands
  in the record's own account.
"""

from __future__ import annotations

from jobs.stages.ingest.openings import PUBLIC, SIGNED_IN, grantee_list, one_if
from jobs.stages.sql import quoted

PARAMETERS = "r.requestParameters"
SERVICE = "substring_index(r.eventSource, '.', 1)"


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
            "policyInJson",
            "accessPolicy",
            "accessPolicies",
            "policy",
        )
    )
    + ")"
)
STATEMENT = "struct<Effect:string,Principal:string,NotPrincipal:string>"
GRANTED = _texts(
    "aWSAccountId",
    "aWSAccountIds",
    "account",
    "accountIds",
    "accountIdsToAdd",
    "accountWithRestoreAccess",
    "addAllowedPrincipals",
    "backupPlan",
    "consumerIdentifier",
    "entries",
    "grantee",
    "granteePrincipal",
    "principal",
    "principalArn",
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
OPERATION = f"case when verb = 'CreateJob' then nullif({PARAMETERS}.operation, '') end"
ACL_LIST = f"{PARAMETERS}.AccessControlPolicy.AccessControlList"
OWNER = f"nullif({PARAMETERS}.AccessControlPolicy.Owner.ID, '')"
HEADERS = _texts(
    "accessControlList",
    "x-amz-acl",
    *(f"x-amz-grant-{right}" for right in ("full-control", "read", "read-acp", "write-acp")),
)
ACL = f"concat_ws(' ', replace({ACL_LIST}, coalesce({OWNER}, '-'), ''), {OPERATION}, {HEADERS})"
BLOCK = f"nullif({PARAMETERS}.PublicAccessBlockConfiguration, '')"
REPLICATION = f"coalesce(nullif({PARAMETERS}.ReplicationConfiguration, ''), {OPERATION})"
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
NAMES_GRANTEES = (
    "CreateGrant CreateBackupPlan UpdateBackupPlan PutPermission CreateAccessEntry "
    "ModifyVpcEndpointServicePermissions AuthorizeEndpointAccess AuthorizeVpcEndpointAccess"
).split()
"""Verbs of other classes whose parameters in :data:`GRANTED` are grantees."""
OPENS_SOMETIMES = ["CreateMultipartUpload", "PutObject", "PutImage"]
"""Verbs of other classes than changes that may open something."""
OPENS_NOTHING = (
    "^(Delete|Remove|Revoke|Disassociate|Deauthorize|Retire|Reject|Cancel|Deregister|Detach|"
    "Simulate|Validate|Check)[A-Z]|^(Create|Modify)VpcEndpoint$"
)
"""Verbs whose policies and grantees open nothing."""

S3_HOST = "([a-z0-9][a-z0-9.-]*)[.]s3[a-z0-9.-]*[.]amazonaws[.]com"
ORIGIN = (
    f"nullif(regexp_extract({_texts('distributionConfig', 'distributionConfigWithTags')}, "
    f"'{S3_HOST}', 1), '')"
)
"""SQL of the bucket that a distribution of CloudFront hands out."""
SERVED = (
    f"case when {SERVICE} = 'transfer' then nullif(regexp_extract("
    f"{_texts('homeDirectory', 'homeDirectoryMappings', 'sendFilePaths')}, "
    "'/([a-z0-9][a-z0-9.-]{2,62})', 1), '') end"
)
"""SQL of the bucket that a server for file transfer hands out, or a connector sends from."""
MOUNTED = f"nullif(regexp_extract({PARAMETERS}.locationARN, ':s3:::([^/]+)', 1), '')"
"""SQL of the bucket that a gateway hands out as a file share."""
OPENED_BUCKET = f"coalesce({ORIGIN}, {SERVED}, {MOUNTED})"
WAYS = {
    "verb = 'PutBucketWebsite'": "link://website",
    # Access lists that did not count before count from now on.
    f"{PARAMETERS}.OwnershipControls rlike 'ObjectWriter|BucketOwnerPreferred'": "unknown://acl",
    f"verb rlike 'FunctionUrlConfig$' and {PARAMETERS}.authType = 'NONE'": PUBLIC,
    f"{SERVICE} = 'ecr-public' and verb in ('CreateRepository', 'PutImage')": PUBLIC,
    f"verb rlike 'Distribution' and {ORIGIN} is not null": "link://cloudfront",
    f"{SERVICE} = 'transfer' "
    "and verb rlike '^(Create|Update)(User|Access)$|^ImportSshPublicKey$'": "link://file-transfer",
    f"{SERVICE} = 'storagegateway' and {MOUNTED} is not null": "unknown://file-share",
    f"{SERVICE} = 'snowball' and {PARAMETERS}.jobType = 'EXPORT'": "unknown://device",
}
"""SQL of a condition → whom a call that fulfils it opens something to."""

MAY_OPEN, POLICY_TEXT, PRINCIPALS, TOLD, GRANTEES, OPENED_TO = (
    "may_open",
    "policy_text",
    "principals_told",
    "told",
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
SHARE = "coalesce(listed_class = 'share', false)"
OWN = "concat('account://', coalesce(r.recipientAccountId, r.userIdentity.accountId, ''))"
# Providers of identities that serve everybody. A cluster's own provider serves the cluster.
FEDERATED = (
    f"regexp_replace({PRINCIPALS}, 'oidc-provider/oidc[.]eks[.]', '') "
    "rlike 'oidc-provider/|cognito-identity[.]amazonaws'"
)
ARRAYS = (
    _digits(TOLD),
    _found("[0-9a-f]{64}", f"concat_ws(' ', {TOLD}, {ACL})", "account://"),
    _found("[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+", ACL, "user://"),
    f"transform(regexp_extract_all({REPLICATION}, 'arn:[^:\"]*:s3:::([^\"/]+)', 1), "
    "n -> concat('s3://', n))",
    f"transform(regexp_extract_all({REPLICATION}, 'Account\"[^0-9]{{1,5}}([0-9]{{12}})', 1), "
    "n -> concat('account://', n))",
    one_if(
        f"{TOLD} rlike '(^|[ \"])([*]|all)([ \"]|$)' or {ACL} rlike 'AllUsers|public-read' "
        f"or {_listed(OPENS_TO_ALL)} or lower({BLOCK}) like '%false%'",
        PUBLIC,
    ),
    one_if(f"{ACL} rlike 'AuthenticatedUsers|authenticated-read'", SIGNED_IN),
    *(one_if(condition, grantee) for condition, grantee in WAYS.items()),
    # The policy of an identity names no principal; that of a share does.
    one_if(f"{SHARE} and {PRINCIPALS} like '%?%'", "unknown://policy"),
    one_if(FEDERATED, "unknown://federated"),
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


def openings(changes: str) -> tuple[dict[str, str], ...]:
    """SQL by name, in groups, of ``opened``: the grantees, or null.

    ``changes``: SQL of whether the verb is one of administration, a copy or a job, or is not known.
    A share that names nobody is opened to ``unknown://VERB``. The record's own account is no
    grantee.
    """
    return (
        {
            MAY_OPEN: f"coalesce({SHARE} or {_listed(OPENS_SOMETIMES)} "
            f"or ({changes} and not verb rlike '{OPENS_NOTHING}'), false)"
        },
        {POLICY_TEXT: f"case when {MAY_OPEN} then {POLICY} end"},
        {
            # `?` stands for a statement that is not understood.
            PRINCIPALS: f"case when {POLICY_TEXT} is not null then concat_ws(' ', "
            f"transform({STATEMENTS}, s -> case when s.Effect = 'Deny' then null "
            "else coalesce(s.Principal, if(s.NotPrincipal is not null, '*', '?')) end)) end"
        },
        {
            TOLD: f"case when {MAY_OPEN} then concat_ws(' ', {PRINCIPALS}, {ADDED}, "
            f"case when {SHARE} or {_listed(NAMES_GRANTEES)} then {GRANTED} end) end"
        },
        {GRANTEES: f"case when {MAY_OPEN} then {grantee_list(*ARRAYS, but=OWN)} end"},
        {
            OPENED_TO: f"coalesce({GRANTEES}, case when {SHARE} and {SAID_NOTHING} "
            f"and not {_listed(OPENS_NOTHING_YET)} then concat('unknown://', verb) end)"
        },
    )
