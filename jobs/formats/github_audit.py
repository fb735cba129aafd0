"""GitHub's audit log: events of organisations and enterprises.

Traps handled here: the time is in ``@timestamp`` or ``created_at`` or both, in epoch milliseconds;
``user`` is the target of an action, never the one who acted; a clone of a public repository has no
actor at all; older exports carry no id, so a hash of what tells events apart stands for it (of
fields and not of the text, which differs between exports of the same event).
"""

from __future__ import annotations

from jobs.formats import (
    NO_TEXT,
    address,
    class_of,
    details_json,
    epoch_ms_time,
    iso_time,
    one_a_line,
)
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES = ("",)
"""The API's export is a bare JSON array, or one after another, a page each."""
BATCHES = ("",)
KEEPS_TEXT = False

CLASSES = {
    "clone": "git.clone repo.download_zip repo.archive_download codespaces.create",
    "read": "git.fetch api.request repo.view packages.package_version_downloaded",
    "write": "git.push repo.create repo.update_default_branch repo.rename",
    "delete": "repo.destroy packages.package_deleted",
    "share": "repo.access repo.transfer repo.transfer_outgoing repo.add_member "
    "repo.change_visibility repository_visibility_change.enable org.add_outside_collaborator "
    "deploy_key.create public_key.create repo.create_deploy_key",
    "sign_in": "user.login user.failed_login org.sso_response",
    "execute": "workflows.created_workflow_run workflows.completed_workflow_run",
}
OTHER_CLASS = """case
    when r.action like 'pull_request%' or r.action like 'issue%' then 'write'
    when r.action rlike '[.](list|view|show)' then 'list'
    else 'admin' end"""
TELLING = tuple(
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
REPOSITORY = "coalesce(nullif(r.repo, ''), nullif(r.repository, ''))"

COLUMNS = {
    "event_id": f"coalesce(nullif(r._document_id, ''), md5(concat_ws('|', {', '.join(TELLING)})))",
    "event_time": "coalesce("
    + ", ".join(
        f"{epoch_ms_time(field)}, {iso_time(field)}" for field in ("r.`@timestamp`", "r.created_at")
    )
    + ")",
    "principal": "coalesce(nullif(r.actor, ''), 'anonymous')",
    "names": one_a_line("r.actor", "r.external_identity_nameid"),
    "kind_hint": "case when r.actor like '%[bot]' or r.actor_is_bot = 'true' "
    "or r.actor_is_agent = 'true' then 'service' end",
    "acting_as": NO_TEXT,
    "credential": "coalesce(nullif(r.hashed_token, ''), nullif(r.token_id, ''))",
    "issued_credential": NO_TEXT,
    "action": "r.action",
    "action_class": class_of("r.action", CLASSES, OTHER_CLASS),
    "resource": f"concat('github://', coalesce({REPOSITORY}, nullif(r.org, ''), "
    "nullif(r.business, ''), '-'))",
    "object": NO_TEXT,
    "destination": "case when r.action in ('repo.transfer', 'repo.add_member', "
    "'org.add_outside_collaborator') then nullif(r.user, '') end",
    "bytes_out": "cast(null as bigint)",
    "source_ip": address("r.actor_ip"),
    "user_agent": "nullif(r.user_agent, '')",
    # The log holds what was done; only api.request tells a status.
    "outcome": "case when try_cast(r.status_code as int) >= 400 or r.action like '%failed%' "
    "then 'failure' else 'success' end",
    "details": details_json(
        {
            "country_code": "nullif(r.actor_location.country_code, '')",
            "external_identity": "nullif(r.external_identity_nameid, '')",
            "programmatic_access_type": "nullif(r.programmatic_access_type, '')",
            "public": "r.repository_public",
            "status_code": "r.status_code",
            "target_user": "nullif(r.user, '')",
            "transport": "r.transport_protocol_name",
            "visibility": "r.visibility",
        }
    ),
    "precedence": "0",
    "problem": "case when r.action is null then 'no action' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("github_audit").used)
