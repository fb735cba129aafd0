"""GitHub's audit log: events of organisations and enterprises.

Traps handled here: the time is in ``@timestamp`` or ``created_at`` or both, in epoch milliseconds;
``user`` is the target of an action, never the actor; a clone of a public repository has no actor at
all; older exports carry no id, so a hash of the distinguishing fields stands for it (the text
differs between exports of the same event). All requests to the API are one action, so their method
and route decide their class.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat
from jobs.stages.ingest.openings import PUBLIC, named
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    details_json,
    epoch_ms_time,
    iso_time,
    one_a_line,
    quoted,
)
from schemas.formats.field_map import field_map, record_type

DONE = "(?:create|update|delete|destroy|remove|add|enable|disable|enabled|disabled|clear)"
# The first matching pattern decides. A pattern names a whole family only if all of it is alike.
CLASSES = (
    (
        "clone",
        "^(git[.]clone|repo[.](download_zip|archive_download)|codespaces[.](create|restore|"
        "attempted_to_create_from_prebuild)|migration[.](create|download))$",
    ),
    (
        "read",
        "^(git[.]fetch|repo[.]view|packages[.]package_version_downloaded|"
        "(org|business|user)[.](audit_log(_git_event)?_export|connect_usage_metrics_export|"
        "security_center_export_[a-z_]+|(two_factor_)?recovery_codes_(downloaded|printed|viewed))|"
        "business[.]enterprise_server_license_download|"
        "staff[.]dependabot_debug_credentials_generated)$",
    ),
    (
        "share",
        "^(repo[.](access|change_visibility|transfer|transfer_outgoing|transfer_start|add_member|"
        "update_member|create_deploy_key|pages_(public|create)|temporary_access_granted|"
        "codespaces_trusted_repo_access_granted)|public|public_key[.]create|deploy_key[.]create|"
        "repository_(visibility_change[.]enable|invitation[.](create|accept))|"
        "private_repository_forking[.]enable|org[.](add_member|add_outside_collaborator|"
        "restore_member|oauth_app_access_(approved|unblocked)|transfer|transfer_outgoing|"
        "codespaces_trusted_repo_access_granted)|user[.]codespaces_trusted_repo_access_granted|"
        "team[.](add_member|add_repository|update_repository_permission|add_to_organization)|"
        "enterprise_team[.]add_member|external_group[.](add_member|link)|"
        "integration_installation[.](create|repositories_added|unsuspend)|"
        "integration[.](transfer|generate_client_secret)|oauth_application[.](transfer|"
        "generate_client_secret|reset_secret)|oauth_(access|authorization)[.](create|regenerate)|"
        "personal_access_token[.](create|access_granted|request_created|credential_regenerated)|"
        "org_credential_authorization[.]grant|project[.](access|visibility_public|"
        "update_(org|team|user)_permission)|project_collaborator[.](add|update)|"
        "gist[.]visibility_change|successor_invitation[.](create|accept)|"
        "sandbox[.](add_port|generate_token)|ssh_certificate_authority[.]create)$",
    ),
    (
        "sign_in",
        "^(user[.](login|logout|failed_login|two_factor_(challenge_(success|failure)|requested|"
        "recover)|device_verification_(failure|requested|success)|new_device_used|"
        "(sign_in|correct_password)_from_[a-z_]+)|(org|business)[.](sso_response|"
        "recovery_code_(failed|used))|business[.]proxy_security_header_unsatisfied|"
        "two_factor_authentication[.](sign_in|password_reset)_fallback_sms|"
        "user_session[.]country_change)$",
    ),
    (
        "execute",
        "^(workflows[.](created|completed|cancel|rerun)_workflow_run$|"
        "workflows[.](approve|reject|prepared|comment)_workflow_job$|"
        "workflows[.](bypass_protection_rules|actions_policy_violation)$|"
        "codespaces[.](start_environment|suspend_environment|connect|allow_permissions)$|"
        "prebuild_configuration[.]run_triggered$|sandbox[.](create|resume|stop)$)",
    ),
    (
        "delete",
        "^(repo[.](destroy|code_scanning_analysis_deleted)|"
        "packages[.]package(_version)?_deleted|(actions_cache|checks)[.]delete(_logs)?|"
        "artifact[.]destroy|(gist|issue|discussion|codespaces|repository_image)[.]destroy|"
        "(commit|issue|discussion|pull_request_review)_comment[.](destroy|delete)|"
        "discussion_post(_reply)?[.]destroy|pull_request_review[.]delete|user_content_edit[.]delete|"
        "(org|business|user)[.](delete|async_delete|destroy)|migration[.]destroy_file|"
        "(project|project_field|project_view|environment|sandbox)[.]delete|"
        "workflows[.]delete_workflow_run)$",
    ),
    (
        "write",
        "^(git[.]push|repo[.](create|rename|rename_branch|update_default_branch|restore)|"
        "gist[.]create|packages[.]package(_version)?_published|codespaces[.]export_environment|"
        "protected_branch[.](policy_override|rejected_ref_update)|"
        "secret_scanning_push_protection[.]bypass|"
        "secret_scanning_push_protection_request[.]complete|"
        "merge_queue[.](pull_request_[a-z_]+|queue_cleared))$|"
        "^(pull_request|issue|discussion)(_review|_comment|_post|_reply|_dependencies)*[.]|"
        "^(sub_issues|commit_comment|repository_advisory|advisory_credit|release|project|"
        "project_field|project_view|repository_image|user_content_edit|user_status|"
        "profile_picture|custom_property_value|organization_custom_property_value)[.]",
    ),
    (
        "other",
        "^(code_scanning|secret_scanning_alert|secret_scanning_scan|repository_vulnerability_alert|"
        "repository_limit)[.]|[.][a-z_]*limit_(warning|reached)$|"
        "[.]self_hosted_runner_(online|offline|updated)$|^(sponsors|marketplace_[a-z_]+)[.]",
    ),
    (
        "admin",
        f"^(org|business|enterprise|repo|team|user|workflows|packages|codespaces)[.]{DONE}$|"
        "^(audit_log_streaming|auto_approve_personal_access_token_requests|billing|"
        "billing_customer|metered_billing_configuration|payment_method|account|"
        "account_recovery_token|copilot|hook|integration|integration_installation|"
        "integration_installation_request|ip_allow_list|ip_allow_list_entry|issue_type|issues|"
        "mcp_registry|members_can_[a-z_]+|merge_queue|network_configuration|oauth_application|"
        "oauth_access|oauth_authorization|passkey|security_key|gpg_key|"
        "git_signing_ssh_public_key|public_key|deploy_key|pages_protected_domain|"
        "personal_access_token|prebuild_configuration|private_repository_forking|"
        "private_vulnerability_reporting[a-z_]*|project_base_role|project_collaborator|"
        "protected_branch|required_status_check|restrict_notification_delivery|role|"
        "social_identity|ssh_certificate_[a-z]+|sso_lockdown|sso_redirect|staff|"
        "successor_invitation|trusted_device|two_factor_[a-z_]+|user_email|sandbox|"
        "vulnerability_alert_rule|external_group|external_identity|environment|checks|"
        "(custom|premium|github)_(hosted_)?runner|custom_property_definition|"
        "enterprise_(announcement|domain|installation|role|team)|"
        "organization_[a-z_]+|org_credential_authorization|"
        "(org|business|repository)_(secret_scanning[a-z_]*|advanced_security|"
        "dependabot_alerts[a-z_]*)|(repository|security)_[a-z_]*(invitation|configuration[a-z_]*|"
        "evaluation|code_security|content_analysis|dependency_[a-z_]+|malware_alerts|"
        "projects_change|ruleset|security_updates|visibility_change|vulnerability_alerts[a-z_]*)|"
        "dependabot_[a-z_]+|dependency_graph[a-z_]*|secret_scanning[a-z_]*|team_[a-z_]+)[.]|"
        "^(org|business|enterprise|repo|user)[.](config[.]|code_scanning_|code_security_|"
        "code_quality_|codeql_|advanced_security_|secret_(scanning|protection)_|codespaces_|"
        "dependabot_|runner_group_|required_workflow_|set_|update_|clear_|members_can_|"
        "(create|remove)_(actions|integration)_|(configure|register|remove)_self_hosted_|"
        "(enable|disable)_|(cancel|accept|confirm|invite)_|revoke_|recovery_codes_generated$|"
        "oauth_app_access_|integration_manager_|display_commenter_|allow_third_party_|"
        "github_models_|pages_|immutable_releases_|delete_custom_image|add_|(un)?block_user$|"
        "(un)?archived?$|remove_|rename|recreate$|restore$|transform$|billing_signup_error$|"
        "rate_limited_invites$|trial_|[a-z]+_trial$|change_|upgrade_|import_|proxy_security_header_|"
        "staff_unlock$|override_unlock$|actions_enabled$|collaborators_only$|disk_archive$|"
        "hide_from_discovery$|noindex$|require_login$|promote$|demote$|(un)?suspend$|"
        "(forgot|reset)_password$|creation_rate_limit_exceeded$|grant_github_developer$|"
        "(hide|show)_private_contributions_count$|toggle_|two_factor_recovery_codes_|"
        "(un)?minimize_comment$|report_|flag_as_|partial_two_factor_)|"
        "^team[.](change_|demote_|promote_|remove_|rename$)|"
        "^workflows[.](enable|disable|pin|unpin)_workflow$|"
        "^codespaces[.](business_enablement_|policy_group_|trusted_repositories_)",
    ),
)
FAILED = "fail|rejected_ref_update$|_unsatisfied$|_violation$|_error$|rate_limit(ed_|_exceeded$)"
# Logged before its result, or with a result that has no field.
UNTOLD = (
    "[.]sso_response$|[.]attempted_|[.](two_factor|device_verification)_requested$|"
    "_fallback_sms$|^audit_log_streaming[.]check$"
)
METHOD = "upper(nullif(r.request_method, ''))"
ROUTE = "coalesce(nullif(r.route, ''), nullif(r.url_path, ''))"
REPO = "^(?:/api/v3)?/(?:repos/[^/]+/[^/]+|repositories/[^/]+)"
OWNER = "^(?:/api/v3)?/(?:orgs|organizations|enterprises|scim|admin|teams?)/"
MUTATION = quoted('"query" *: *" *mutation|^ *mutation')
PUBLIC_BODY = '"visibility" *: *"public"|"private" *: *false'
OPENED = quoted('"visibility" *: *"(?:public|internal)"|"private" *: *false')
# By method and route. Only a mutation and a change of visibility need the body.
API_CLASSES = (
    ("inspect", f"{METHOD} in ('HEAD', 'OPTIONS')"),
    ("delete", f"{METHOD} = 'DELETE'"),
    (
        "clone",
        f"{METHOD} = 'GET' and ({ROUTE} rlike '{REPO}/(?:tarball|zipball)(?:/|$)' "
        f"or {ROUTE} rlike '/migrations/[^/]+/archive$')",
    ),
    ("read", f"{METHOD} = 'GET'"),
    (
        "write",
        f"{METHOD} = 'POST' and {ROUTE} rlike '/graphql$' and r.request_body rlike {MUTATION}",
    ),
    ("query", f"{METHOD} = 'POST' and {ROUTE} rlike '/graphql$'"),
    (
        "clone",
        f"{METHOD} = 'POST' and ({ROUTE} rlike '{REPO}/(?:forks|generate)/?$' "
        f"or {ROUTE} rlike '^(?:/api/v3)?/(?:user|orgs/[^/]+|organizations/[^/]+)/migrations/?$')",
    ),
    (
        "share",
        f"{METHOD} in ('POST', 'PUT', 'PATCH') and ({ROUTE} rlike "
        f"'{REPO}/(?:transfer/?$|collaborators/|invitations(?:/|$)|keys/?$)' or {ROUTE} rlike "
        "'^(?:/api/v3)?/user/(?:keys|repository_invitations|memberships)(?:/|$)' "
        f"or {ROUTE} rlike '{OWNER}.*(?:invitations|memberships|outside_collaborators|members|"
        "repos/[^/]+/[^/]+)(?:/|$)')",
    ),
    (
        "share",
        f"{METHOD} = 'PATCH' and {ROUTE} rlike '{REPO}/?$' and r.request_body rlike {OPENED}",
    ),
    ("share", f"{METHOD} = 'POST' and {ROUTE} rlike '{REPO}/pages/?$'"),
    ("assume", f"{METHOD} = 'POST' and {ROUTE} rlike '/installations/[^/]+/access_tokens$'"),
    (
        "execute",
        f"{METHOD} = 'POST' and {ROUTE} rlike '{REPO}/(?:.*dispatches|deployments|"
        "actions/(?:runs|jobs)/[^/]+/.+|check-suites/[^/]+/rerequest)$'",
    ),
    ("write", f"{METHOD} = 'POST' and {ROUTE} rlike '{OWNER}[^/]+/repos/?$'"),
    (
        "admin",
        f"{METHOD} in ('POST', 'PUT', 'PATCH') and ({ROUTE} rlike '{OWNER}' or {ROUTE} rlike "
        f"'{REPO}/(?:hooks|rulesets|environments|branches/.+/protection|topics|pages|"
        "actions/(?:cache|oidc|permissions|runners|secrets|variables)|automated-security-fixes|vulnerability-alerts|private-vulnerability-reporting|"
        "properties|autolinks|interaction-limits|codespaces/secrets|dependabot/secrets|"
        "code-scanning/default-setup|tags/protection|immutable-releases)(?:/|$)')",
    ),
    ("write", f"{METHOD} in ('POST', 'PUT', 'PATCH')"),
    # Without a method nothing shows a change.
    ("read", f"{METHOD} is null"),
)
CLASS = "class"
MAX_ROUTE_CHARS = 500


def _class() -> str:
    """SQL of the class of an action; null for an action that no pattern matches."""
    requests = " ".join(f"when {condition} then '{name}'" for name, condition in API_CLASSES)
    actions = " ".join(
        f"when r.action rlike {quoted(pattern)} then '{name}'" for name, pattern in CLASSES
    )
    return f"case when r.action = 'api.request' then case {requests} end {actions} end"


# The login in the path of a request; a route may hold a placeholder instead.
PATH_LOGIN = (
    "nullif(regexp_extract(coalesce(nullif(r.url_path, ''), r.route), "
    "'/(?:collaborators|outside_collaborators|memberships|members)/([^/:{]+)', 1), '')"
)
# Whoever adds a key or a token to the own account opens nothing to others. A team is of the
# organisation itself.
OPENED_TO = (
    "case when r.action = 'api.request' then case "
    f"when {ROUTE} rlike '{REPO}/keys/?$' then 'link://deploy-key' "
    f"when {ROUTE} rlike '{REPO}/pages/?$' then 'link://pages' "
    f"when {ROUTE} rlike '^(?:/api/v3)?/user/' then null "
    f"when {ROUTE} rlike '{OWNER}.*/repos/[^/]+/[^/]+/?$' then null "
    f"when {METHOD} = 'PATCH' and {ROUTE} rlike '{REPO}/?$' then "
    f"if(r.request_body rlike {quoted(PUBLIC_BODY)}, '{PUBLIC}', 'group://internal') "
    f"else {named('user', PATH_LOGIN)} end "
    "when r.action rlike '^repo[.](access|change_visibility)$|gist[.]visibility_change' then "
    f"case r.visibility when 'private' then null when 'public' then '{PUBLIC}' "
    "when 'internal' then 'group://internal' else 'unknown://visibility' end "
    f"when r.action rlike '^public$|pages_public$|visibility_public$' then '{PUBLIC}' "
    "when r.action = 'repo.pages_create' then 'link://pages' "
    "when r.action rlike '^(repo[.]create_)?deploy_key' then 'link://deploy-key' "
    "when r.action rlike 'add_(member|outside_collaborator)$|update_member$|restore_member$|"
    "invitation[.]|collaborator[.]|transfer|update_user_permission$|temporary_access' "
    f"then {named('user', 'r.user')} "
    "when r.action rlike '^integration_installation[.]|oauth_app_access_' "
    "then 'unknown://application' end"
)
DERIVED = ({CLASS: _class()},)
STATUS = "try_cast(r.status_code as int)"
OUTCOME = (
    f"case when {STATUS} >= 400 then 'failure' when {STATUS} >= 100 then 'success' "
    # A finished run has its result in a field.
    "when r.action = 'workflows.completed_workflow_run' then case "
    "when r.conclusion = 'success' then 'success' "
    "when r.conclusion in ('failure', 'startup_failure', 'timed_out') then 'failure' "
    "else 'unknown' end "
    f"when r.action rlike '{FAILED}' then 'failure' "
    f"when r.action = 'api.request' or r.action rlike '{UNTOLD}' then 'unknown' "
    # The log holds completed actions. Denying another person's request is one too.
    f"when {CLASS} is not null then 'success' "
    "when r.action rlike 'denied|refused|rejected' then 'failure' else 'unknown' end"
)
IDENTIFYING = ", ".join(
    f"coalesce(r.`{field}`, '')"
    for field in (
        "@timestamp",
        "created_at",
        "action",
        "actor",
        "actor_ip",
        "business",
        "hashed_token",
        "org",
        "query_string",
        "repo",
        "repository",
        "request_id",
        "transport_protocol_name",
        "url_path",
        "user",
        "user_agent",
    )
)
# A request may name its repository in its path alone.
REPOSITORY = (
    "coalesce(nullif(r.repo, ''), nullif(r.repository, ''), nullif(regexp_extract("
    "split_part(r.url_path, '?', 1), '^(?:/api/v3)?/repos/([^/:{]+/[^/:{]+)', 1), ''))"
)

COLUMNS = {
    "event_id": f"coalesce(nullif(r._document_id, ''), md5(concat_ws('|', {IDENTIFYING})))",
    "event_time": "coalesce("
    + ", ".join(
        f"{epoch_ms_time(field)}, {iso_time(field)}" for field in ("r.`@timestamp`", "r.created_at")
    )
    + ")",
    "principal": "coalesce(nullif(r.actor, ''), 'anonymous')",
    # The name that the organisation gives comes before a login that anybody may choose.
    "names": one_a_line("r.external_identity_nameid", "r.actor"),
    "kind_hint": "case when r.actor like '%[bot]' or r.actor_is_bot = 'true' "
    "or r.actor_is_agent = 'true' then 'service' end",
    "acting_as": NO_TEXT,
    "credential": "coalesce(nullif(r.hashed_token, ''), nullif(r.token_id, ''))",
    "issued_credential": NO_TEXT,
    "action": "r.action",
    "action_class": f"coalesce({CLASS}, 'other')",
    "resource": f"concat('github://', coalesce({REPOSITORY}, nullif(r.org, ''), "
    "nullif(r.business, ''), '-'))",
    "object": NO_TEXT,
    "destination": f"case when {CLASS} = 'share' then {OPENED_TO} end",
    "bytes_out": "cast(null as bigint)",
    "source_ip": address("r.actor_ip"),
    "user_agent": "nullif(r.user_agent, '')",
    "outcome": OUTCOME,
    "details": details_json(
        {
            "country_code": "nullif(r.actor_location.country_code, '')",
            "external_identity": "nullif(r.external_identity_nameid, '')",
            "programmatic_access_type": "nullif(r.programmatic_access_type, '')",
            "public": "r.repository_public",
            "request_method": METHOD,
            "route": f"left({ROUTE}, {MAX_ROUTE_CHARS})",
            "status_code": "r.status_code",
            "target_user": "nullif(r.user, '')",
            "transport": "r.transport_protocol_name",
            "visibility": "r.visibility",
            UNKNOWN_ACTION: f"case when {CLASS} is null then case when r.action = 'api.request' "
            f"then concat('api.request ', {METHOD}) else r.action end end",
        }
    ),
    "precedence": "0",
    "problem": "case when r.action is null then 'no action' end",
}


RECORD_TYPE = record_type(field_map("github_audit").used)

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
        # The API's export is a bare JSON array, or several in a row, one for each page.
        envelopes=("",),
        batches=("",),
    ),
    derived=DERIVED,
)
