"""GitLab's audit events: the stream's, and the lines of ``audit_json.log``.

Traps handled here: a clone and a fetch are the same ``git-upload-pack``, so either counts as a
clone; ``custom_message`` is text, and of git operations an object; ids of streamed events repeat
(git operations have the second for an id), so what tells events apart belongs to theirs; names of
the log file's keys hold dots; a display name is chosen by its bearer, so the login and the number
go before it; deploy tokens and keys, jobs and strangers have numbers below one; an administrator
who impersonates is told apart from the one who is impersonated.
"""

from __future__ import annotations

from jobs.formats import NO_TEXT, address, details_json, one_a_line, quoted, zoned_time
from schemas.config import Source
from schemas.fieldmaps import field_map, record_type

ENVELOPES = ("",)
"""The API's answer is a bare JSON array."""
KEEPS_TEXT = False


def _either(name: str) -> str:
    """SQL of a field that the stream nests under ``details`` and the log file does not."""
    return f"coalesce(nullif(r.`{name}`, ''), nullif(r.details.`{name}`, ''))"


AUTHOR_NAME, AUTHOR_CLASS, FAILED_LOGIN = "author_name", "author_class", "failed_login"
IMPERSONATOR, MESSAGE, TARGET, CALLER = "impersonated_by", "custom_message", "target", "caller"
AUTHOR, GIT, PROTOCOL, ACTION, CLASS = "author", "git", "protocol", "verb", "class"
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
STRANGER = f"{AUTHOR_NAME} is null or {AUTHOR_NAME} = 'An unauthenticated user'"
TEXT = f"case when {MESSAGE} not like '{{%' then {MESSAGE} end"
VERB = (
    f"coalesce({GIT}, nullif(r.event_type, ''), "
    f"case when {FAILED_LOGIN} is not null then 'failed_login' end, "
    f"concat('with ', {_either('with')}), concat('change ', {_either('change')}), "
    f"concat('add ', {_either('add')}), concat('remove ', {_either('remove')}), "
    f"case when {MESSAGE} is not null then 'custom_message' end)"
)
# The first pattern that fits decides.
CLASSES = (
    ("clone", "^git-upload-|repository_download_operation$|^project_export_file_download_started$"),
    ("write", "^git-receive-pack$"),
    ("read", "^repository_file_accessed|^repository_read"),
    ("sign_in", "login|^with |^authenticated_with|sign_in|signed_in|two_factor_authentication_at"),
    ("assume", "impersonat"),
    (
        "share",
        "visibility|member_(created|added)|^add (user|project|group)_access|group_link_created|"
        "shared?_with|deploy_(key|token)_(created|added)|access_token_created|transfer|"
        "^(user_)?add_(deploy|ssh|gpg)?_?key|^change namespace",
    ),
    ("delete", "^(project|group|repository|package|registry)[a-z_]*_(deleted|destroyed|removed)$"),
    ("delete", "^remove (project|group)$"),
    ("write", "^(project|group|repository)_created$|^merge_request|^add (project|group)$"),
)
PATH = _either("entity_path")
# The log file has no path of the entity, but its target often is the project itself.
PROJECT = (
    f"coalesce(case when r.entity_type in ('Project', 'Group') then {PATH} end, "
    f"case when r.entity_type = 'Project' and {_either('target_type')} = 'Project' "
    f"and {TARGET} like '%/%' then {TARGET} end, nullif(r.`meta.project`, ''), "
    "case when r.entity_type in ('Project', 'Group') "
    "then concat('-/', lower(r.entity_type), '-', r.entity_id) end, '-')"
)


def _in_message(name: str) -> str:
    """SQL of a member of the object that the message is of git operations."""
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
    },
    {ACTION: VERB},
    {
        CLASS: "case {} else 'admin' end".format(
            " ".join(f"when {ACTION} rlike {quoted(text)} then '{name}'" for name, text in CLASSES)
        )
    },
)
TELLING = ", ".join(
    f"coalesce({value}, '')"
    for value in (
        "coalesce(r.created_at, r.time)",
        AUTHOR_ID,
        AUTHOR_NAME,
        IMPERSONATOR,
        ACTION,
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
    "event_id": f"concat_ws('-', nullif(r.id, ''), md5(concat_ws('|', {TELLING})))",
    "event_time": f"coalesce({zoned_time('r.created_at')}, {zoned_time('r.time')})",
    "principal": f"coalesce({IMPERSONATOR}, {AUTHOR}, 'anonymous')",
    "names": f"case when {IMPERSONATOR} is not null then {one_a_line(IMPERSONATOR)} else "
    f"{one_a_line(LOGIN, NUMBER, 'r.details.author_email', AUTHOR)} end",
    "kind_hint": f"case when {TOKEN} or {AUTHOR_CLASS} in ('Ci::Runner', 'CiRunnerToken') "
    f"or {LOGIN} rlike '^((project|group)_[0-9]+_bot|service_account_)' then 'service' end",
    "acting_as": f"case when {IMPERSONATOR} is not null then {AUTHOR} end",
    # A token or key for deployments has no other name.
    "credential": f"case when {TOKEN} then {AUTHOR_NAME} end",
    "issued_credential": NO_TEXT,
    "action": ACTION,
    "action_class": CLASS,
    "resource": f"concat('gitlab://', {PROJECT})",
    "object": NO_TEXT,
    "destination": f"case when {ACTION} rlike 'member|_access$|group_link|shared?_with' "
    f"and {CLASS} = 'share' then {TARGET} "
    f"when {ACTION} rlike 'transfer|namespace' then {_either('to')} end",
    "bytes_out": "cast(null as bigint)",
    "source_ip": address(CALLER),
    "user_agent": NO_TEXT,
    # The log holds what was done; what failed has a verb of its own.
    "outcome": f"case when {FAILED_LOGIN} is not null or {ACTION} rlike 'fail|denied|blocked_by' "
    "then 'failure' else 'success' end",
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
            "visibility": f"case when {ACTION} rlike 'visibility' then lower({_either('to')}) end",
        }
    ),
    "precedence": "0",
    "problem": f"case when {ACTION} is null then 'nothing says what was done' end",
}


def json_type(source: Source) -> str:
    """Spark SQL type of a JSON record with the fields that are used."""
    return RECORD_TYPE


def columns(source: Source) -> dict[str, str]:
    """SQL of every parsed column; ``r`` is the record, ``raw`` its text."""
    return COLUMNS


RECORD_TYPE = record_type(field_map("gitlab_audit").used)
