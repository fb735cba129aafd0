"""GitLab's audit events: the stream's, and the lines of ``audit_json.log``.

Traps handled here:

- A clone and a fetch are the same ``git-upload-pack``. Both count as a clone unless the newer
  ``verb`` distinguishes them.
- ``custom_message`` is text, but an object for git operations.
- Ids of streamed events repeat (git operations use the second as id), so the distinguishing fields
  are added to the id.
- Names of the log file's keys hold dots.
- A person chooses the own display name, so the login and the number stand for the person.
- Deploy tokens and keys, jobs and strangers have numbers below one.
- An administrator who impersonates somebody is another person than the impersonated one.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat
from jobs.stages.ingest.openings import PUBLIC, named
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    chosen,
    details_json,
    one_a_line,
    quoted,
    zoned_time,
)
from schemas.formats.field_map import field_map, record_type


def _either(name: str) -> str:
    """SQL of a field that the stream nests under ``details`` and the log file does not."""
    return f"coalesce(nullif(r.`{name}`, ''), nullif(r.details.`{name}`, ''))"


AUTHOR_NAME, AUTHOR_CLASS, FAILED_LOGIN = "author_name", "author_class", "failed_login"
IMPERSONATOR, MESSAGE, TARGET, CALLER = "impersonated_by", "custom_message", "target", "caller"
AUTHOR, GIT, PROTOCOL, ACTION, CLASS = "author", "git", "protocol", "action_said", "class"
GIT_VERB = "git_verb"
AUTHOR_ID = "nullif(r.author_id, '')"
LOGIN = (
    f"case when coalesce(r.`meta.user_id`, {AUTHOR_ID}, '') = coalesce({AUTHOR_ID}, "
    "r.`meta.user_id`, '') then nullif(r.`meta.user`, '') end"
)
# As GitLab itself writes it in `meta.client_id`.
NUMBER = f"case when try_cast({AUTHOR_ID} as bigint) > 0 then concat('user/', {AUTHOR_ID}) end"
TOKEN = (
    f"coalesce({AUTHOR_CLASS} in ('DeployToken', 'DeployKey'), false) "
    f"or coalesce({AUTHOR_ID} in ('-2', '-3'), false)"
)
TOKEN_KIND = f"coalesce({AUTHOR_CLASS}, if({AUTHOR_ID} = '-2', 'DeployToken', 'DeployKey'))"
# A display name is chosen freely, so it counts only where there is no number.
UNNUMBERED = f"case when {NUMBER} is null then {AUTHOR} end"
STRANGER = f"{AUTHOR_NAME} is null or {AUTHOR_NAME} = 'An unauthenticated user'"
TEXT = f"case when {MESSAGE} not like '{{%' then {MESSAGE} end"
VERB = (
    f"coalesce({GIT}, nullif(r.event_type, ''), "
    f"case when {FAILED_LOGIN} is not null then 'failed_login' end, "
    f"concat('with ', {_either('with')}), concat('change ', {_either('change')}), "
    f"concat('add ', {_either('add')}), concat('remove ', {_either('remove')}), "
    f"case when {MESSAGE} is not null then 'custom_message' end)"
)
# The first matching pattern decides.
CLASSES = (
    (
        "clone",
        "^git-upload-|repository_download_operation$|^project_export_file_download_started$|"
        "^direct_transfer_relation_export(_batch)?_downloaded$|^project_fork_operation$|"
        "^(project|group)_export_created$|^direct_transfer_relations_export_initiated$",
    ),
    ("write", "^git-receive-pack$"),
    (
        "read",
        "^repository_file_accessed|^repository_read|^job_artifact_downloaded$|"
        "^variable_viewed_api$|^ci_runner_usage_export$",
    ),
    (
        "sign_in",
        "login|^with |^authenticated_with_|sign_in|signed_in|two_factor_authentication_at|"
        "^smartcard_authentication_created$|^user_authenticated_using_|^user_access_(un)?locked$",
    ),
    ("assume", "impersonat|^user_enable_admin_mode$"),
    (
        "share",
        "visibility|member_(created|added)|^add (user|project|group)_access|group_links?_created|"
        "shared?_with_group_link_(created|updated)|deploy_(key|token)_(created|added|creation_failed)|"
        "access_token_(created|creation_failed)|cluster_agent_token_created|transfer|"
        "^(user_)?add_(deploy|ssh|gpg)?_?key|^change (namespace|visibility)|"
        "^project_namespace_updated$|^secure_ci_job_token_(group|project)_added$|"
        "^user_authorized_oauth_application$|^create_ssh_certificate$|^member_updated$|"
        "(push|remote)_mirror_[a-z_]*(created|added|updated|enabled)$",
    ),
    # Removing a link, a token or an exclusion deletes no data.
    ("admin", "^(project|group)_[a-z_]*(link|token|exclusion|relationship)_[a-z]+$"),
    (
        "delete",
        "^(project|group|repository|package|registry|container_repository|package_registry)[a-z_]*"
        "_(deleted|destroyed|removed|deletion_marked|blobs_removal)$|^remove (project|group)$|"
        "^delete_(merge_request|epic|issue|work_item)$|^merged_merge_request_delet|"
        "^(release_deleted_audit_event|ml_model(_version)?_destroyed|destroy_pipeline|"
        "user_destroyed|project_blobs_removal|inactive_project_scheduled_for_deletion)$",
    ),
    (
        "write",
        "^(project|group|repository)_created$|^merge_request|^add (project|group)$|^delete_branch|"
        "^(incident|epic|test_case|issue|task)_[a-z]+_by_project_bot$|^comment_by_project_bot$|"
        "^release_|^feature_flag_|^package_registry_package_published$|"
        "^container_repository_created$|^ml_model(_version)?_created$|"
        "^(project|group)_(imported|restored)$|^project_text_replacement$|"
        "^skip_secret_push_protection$|^security_policy_[a-z_]+_push_bypass$",
    ),
    ("execute", "^deployment_(approved|rejected|started)$|^multi_project_downstream_pipeline_"),
    (
        "other",
        "^(compliance_control_status|pending_compliance|request_to_compliance)_|"
        "^security_policy_(violations|pipeline|limit|yaml|merge_request)_|"
        "^email_confirmation_sent$|^api_request_access_with_scope$",
    ),
    (
        "admin",
        "_(updated|changed|enabled|disabled|archived|unarchived)$|^change |"
        "^(add|remove) [a-z_]+_access|^(project|group)_(un)?archived$|"
        "^(allow|emails|enforce|disable|require|retain|prevent|remove|show|selective|seat)_|"
        "^(approval_rule|protected_branch|protected_environment|protected_tag|environment|"
        "member_role|custom_admin_role|ci_[a-z]*_?variable|ci_runners?|cluster_agent|deploy_key|"
        "deploy_token|group_deploy_token|(group|project|personal)_access_token|webhook|"
        "compliance_framework|external_status_check|saml_group_links|group_saml_provider|"
        "amazon_s3_configuration|google_cloud_logging_configuration|instance_[a-z0-9_]+_"
        "configuration|audit_events_streaming|event_type_filters|dast_[a-z_]*profile|"
        "coverage_fuzzing_corpus|self_hosted_model|security_policy|project_security_exclusion|"
        "secure_ci_job_token|email|oauth_application|project_group_link|"
        "group_share_with_group_link|container_repository_tags|cluster_agent_token)_[a-z_]+$|"
        "^(create|update|delete|destroy)d?_[a-z_]*(streaming_destination|namespace_filter|"
        "compliance_[a-z_]+|status_check|approval_rules|http_[a-z_]+|ssh_certificate|"
        "group_saml_extern_uid)$|^product_analytics_settings_update$|^status_check_response_update$|"
        "^(member_destroyed|registration_created|password_reset_(requested|failed)|"
        "change_membership_state|ip_restrictions_changed|manually_trigger_housekeeping|"
        "project_fork_relationship_removed|set_runner_associated_projects|"
        "vulnerability_severity_override|inactive_scim_user_cannot_be_added)$|"
        "^(un)?(ban|block)_user$|^user_(approved|rejected|blocked|created|activate|deactivate|"
        "disable_two_factor|provisioned_by_scim|add_|remove_)|^remove_(ssh|gpg|deploy)_key$",
    ),
)
# By the `verb` in custom_message, which newer versions write.
GIT_CLASSES = {"clone": "clone", "read": "pull fetch", "write": "push"}
WORDING_CHARS = 100
"""Characters of a message that name an action without a name."""
FAILED = "fail|denied|blocked_by|cannot_be_added"
PATH = _either("entity_path")
# The log file lacks the entity's path, but the target often is the project itself.
PROJECT = (
    f"coalesce(case when r.entity_type in ('Project', 'Group') then {PATH} end, "
    f"case when r.entity_type = 'Project' and {_either('target_type')} = 'Project' "
    f"and {TARGET} like '%/%' then {TARGET} end, nullif(r.`meta.project`, ''), "
    "case when r.entity_type in ('Project', 'Group') "
    "then concat('-/', lower(r.entity_type), '-', r.entity_id) end, '-')"
)


def _in_message(name: str) -> str:
    """SQL of a member of the message, which is an object for git operations."""
    return f'nullif(regexp_extract({MESSAGE}, \'"{name}"[ ]*:[ ]*"([^"]+)"\', 1), \'\')'


DERIVED = (
    {
        **{name: _either(name) for name in (AUTHOR_NAME, AUTHOR_CLASS, FAILED_LOGIN)},
        **{name: _either(name) for name in (IMPERSONATOR, MESSAGE)},
        TARGET: _either("target_details"),
        CALLER: "coalesce(nullif(r.ip_address, ''), nullif(r.details.ip_address, ''), "
        "nullif(r.`meta.remote_ip`, ''))",
    },
    {
        AUTHOR: f"coalesce({LOGIN}, case when {STRANGER} then null else {AUTHOR_NAME} end, "
        f"{NUMBER})",
        GIT: _in_message("action"),
        PROTOCOL: _in_message("protocol"),
        GIT_VERB: _in_message("verb"),
    },
    {ACTION: VERB},
    {
        CLASS: "case {} {} end".format(
            " ".join(
                f"when {GIT_VERB} in ({', '.join(map(quoted, verbs.split()))}) then '{name}'"
                for name, verbs in GIT_CLASSES.items()
            ),
            " ".join(f"when {ACTION} rlike {quoted(text)} then '{name}'" for name, text in CLASSES),
        )
    },
)
TO = _either("to")
# Whoever adds a key or a token to the own account opens nothing to others. The log names a new
# member as that member chose, so the name proves nothing.
OPENED_TO = (
    f"case when {ACTION} rlike 'visibility' then case lower({TO}) when 'private' then null "
    f"when 'public' then '{PUBLIC}' when 'internal' then 'group://internal' "
    "else 'unknown://visibility' end "
    f"when {ACTION} rlike '^(project|group)_access_token|agent_token' "
    "then 'link://access-token' "
    f"when {ACTION} rlike 'group_link|shared?_with|group_access|project_access|job_token' "
    f"then {named('group', TARGET)} "
    f"when {ACTION} rlike 'transfer|namespace' then {named('group', TO)} "
    f"when {ACTION} rlike 'member|_access$' then concat('unknown://', coalesce({TARGET}, 'user')) "
    f"when {ACTION} rlike 'deploy_?(key|token)' then 'link://deploy-key' "
    f"when {ACTION} rlike '_mirror_' then 'unknown://mirror' "
    f"when {ACTION} rlike 'oauth_application' then 'unknown://application' end"
)
IDENTIFYING = ", ".join(
    f"coalesce({value}, '')"
    for value in (
        "coalesce(r.created_at, r.time)",
        AUTHOR_ID,
        AUTHOR_NAME,
        IMPERSONATOR,
        f"concat_ws('/', {ACTION}, {GIT_VERB})",
        PROTOCOL,
        TEXT,
        "r.entity_type",
        "r.entity_id",
        TARGET,
        _either("from"),
        _either("to"),
        CALLER,
        "r.correlation_id",
    )
)

COLUMNS = {
    "event_id": f"concat_ws('-', nullif(r.id, ''), md5(concat_ws('|', {IDENTIFYING})))",
    "event_time": f"coalesce({zoned_time('r.created_at')}, {zoned_time('r.time')})",
    "principal": f"coalesce({IMPERSONATOR}, {AUTHOR}, 'anonymous')",
    # The creator of a token or key chooses its name, so the name comes after the kind.
    "names": f"case when {IMPERSONATOR} is not null then {one_a_line(IMPERSONATOR)} "
    f"when {TOKEN} then concat({TOKEN_KIND}, '/', {AUTHOR_NAME}) "
    f"else {one_a_line(LOGIN, NUMBER, 'r.details.author_email', chosen(UNNUMBERED))} end",
    "kind_hint": f"case when {TOKEN} or {AUTHOR_CLASS} in ('Ci::Runner', 'CiRunnerToken') "
    f"or {LOGIN} rlike '^((project|group)_[0-9]+_bot|service_account_)' then 'service' end",
    "acting_as": f"case when {IMPERSONATOR} is not null then {AUTHOR} end",
    # A token or key for deployments has no other name.
    "credential": f"case when {TOKEN} then {AUTHOR_NAME} end",
    "issued_credential": NO_TEXT,
    "action": ACTION,
    "action_class": f"coalesce({CLASS}, 'other')",
    "resource": f"concat('gitlab://', {PROJECT})",
    "object": NO_TEXT,
    "destination": f"case when {CLASS} = 'share' then {OPENED_TO} end",
    "bytes_out": "cast(null as bigint)",
    "source_ip": address(CALLER),
    "user_agent": NO_TEXT,
    # The log holds completed actions; failures have verbs of their own.
    "outcome": f"case when {FAILED_LOGIN} is not null or {ACTION} rlike '{FAILED}' then 'failure' "
    f"when {CLASS} is not null then 'success' else 'unknown' end",
    "details": details_json(
        {
            "author_class": AUTHOR_CLASS,
            "author_id": AUTHOR_ID,
            "author_name": AUTHOR_NAME,
            "correlation_id": "nullif(r.correlation_id, '')",
            "from": _either("from"),
            "message": TEXT,
            "protocol": PROTOCOL,
            "role": "nullif(r.details.`as`, '')",
            "target": TARGET,
            "target_type": _either("target_type"),
            "to": _either("to"),
            "verb": GIT_VERB,
            UNKNOWN_ACTION: f"case when {CLASS} is null then "
            f"if({ACTION} = 'custom_message', left({MESSAGE}, {WORDING_CHARS}), {ACTION}) end",
            "visibility": f"case when {ACTION} rlike 'visibility' then lower({_either('to')}) end",
        }
    ),
    "precedence": "0",
    "problem": f"case when {ACTION} is null then 'nothing says what was done' end",
}


RECORD_TYPE = record_type(field_map("gitlab_audit").used)

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
        # The API's answer is a bare JSON array.
        envelopes=("",),
    ),
    derived=DERIVED,
)
