"""The model gateway LiteLLM: one StandardLoggingPayload a request, successful or not.

Traps handled here:

- A key names a person only if it belongs to one. A team's key is a service's. The user of the
  master key is ``default_user_id`` for every holder.
- The caller writes ``end_user`` into the request, so it never names the actor.
- The caller asks for ``model_group``; the gateway asks the provider for ``model``.
- Providers repeat ids, and a retry has the id of the failed call. So the time is part of an event's
  identity.
- A refused key may be stored in the clear in place of its hash.

Of prompts only fingerprints are kept (:mod:`jobs.stages.ingest.prompts`). Answers are not read.
Bytes are not logged.
"""

from __future__ import annotations

from jobs.stages.ingest.addresses import address
from jobs.stages.ingest.formats.log_format import JsonRecords, LogFormat
from jobs.stages.ingest.prompts import HASHES, fingerprints
from jobs.stages.sql import (
    NO_TEXT,
    UNKNOWN_ACTION,
    chosen,
    class_of,
    details_json,
    iso_time,
    one_a_line,
    quoted,
    unknown_action,
)
from schemas.formats.field_map import field_map, record_type

# Some callbacks write the name of a Python enum member.
CALL = "nullif(regexp_replace(r.call_type, '^CallTypes[.]', ''), '')"
VERBS = {
    "query": "completion text_completion embedding image_generation image_edit image_variation "
    "moderation transcription speech rerank search _arealtime _aresponses_websocket realtime_calls "
    "create_realtime_client_secret create_realtime_transcription_session pass_through_endpoint "
    "llm_passthrough_route anthropic_messages responses compact_responses generate_content "
    "generate_content_stream ocr query vector_store_search create_interaction create_video "
    "video_remix video_edit video_extension video_create_character",
    "submit": "create_batch create_fine_tuning_job create_run run_thread run_thread_stream "
    "create_eval create_container create_sandbox",
    "execute": "call_mcp_tool send_message run_code code_interpreter_tool",
    "list": "list_mcp_tools file_list list_batches list_fine_tuning_jobs list_input_items "
    "get_assistants get_messages vector_store_list list_containers vector_store_file_list "
    "video_list list_container_files list_evals list_runs list_skills",
    "read": "file_content vector_store_file_content video_content retrieve_container_file_content",
    "inspect": "file_retrieve retrieve_batch retrieve_fine_tuning_job get_responses get_thread "
    "count_tokens vector_store_retrieve vector_store_file_retrieve video_retrieve "
    "video_retrieve_job video_get_character retrieve_container retrieve_container_file get_eval "
    "get_run get_skill get_interaction",
    "write": "create_file create_assistants create_thread add_message a_add_message "
    "vector_store_create vector_store_update vector_store_file_create vector_store_file_update "
    "upload_container_file create_skill ingest update_eval",
    "delete": "file_delete delete_responses delete_assistant vector_store_delete "
    "vector_store_file_delete video_delete delete_container delete_container_file delete_sandbox "
    "delete_eval delete_run delete_skill delete_interaction",
    "other": "cancel_batch cancel_fine_tuning_job cancel_responses cancel_eval cancel_run "
    "cancel_interaction health_check",
}
# Nearly every call has a second name, for asynchronous programs.
CLASSES = {
    name: " ".join(f"{verb} a{verb}" for verb in verbs.split()) for name, verbs in VERBS.items()
}
META = "r.metadata"
USER = f"nullif(nullif({META}.user_api_key_user_id, ''), 'default_user_id')"
EMAIL = f"nullif({META}.user_api_key_user_email, '')"
ALIAS = f"nullif({META}.user_api_key_alias, '')"
TEAM = (
    f"coalesce(nullif({META}.user_api_key_team_alias, ''), nullif({META}.user_api_key_team_id, ''))"
)
HASH = f"nullif({META}.user_api_key_hash, '')"
KEY = f"case when {HASH} not like 'sk-%' then {HASH} end"
CALLER_SAYS = f"coalesce(nullif(r.end_user, ''), nullif({META}.user_api_key_end_user_id, ''))"
SECONDS = "try_cast(r.startTime as double)"
# Seconds since 1970; some callbacks write the time as text.
TIME = (
    f"coalesce(case when {SECONDS} between 0 and 1e10 "
    f"then timestamp_micros(cast(round({SECONDS} * 1000000) as bigint)) end, "
    f"{iso_time('r.startTime')})"
)
REQUESTER = f"coalesce(nullif({META}.requester_ip_address, ''), nullif(r.requester_ip_address, ''))"
# X-Forwarded-For as received, or one address.
ADDRESSES = f"filter(split(trim({REQUESTER}), ' *, *'), one -> one <> '')"
# Older versions have the program in tags only: its name, and its name with the version.
TAGGED_AGENT = "nullif(regexp_extract(r.request_tags, '\"User-Agent: ([^\"]*/[^\"]*)\"', 1), '')"
SAMPLING = "r.model_parameters"
WEIGHTED = f"size(regexp_extract_all({SAMPLING}.logit_bias, '\"[ ]*:', 0))"

ERROR_CODE = "r.error_information.error_code"
# A code that is not a number of HTTP is an error's name.
IS_ERROR = (
    f"(coalesce(try_cast({ERROR_CODE} as double) >= 400, nullif({ERROR_CODE}, '') is not null) "
    "or nullif(r.error_information.error_class, '') is not null or nullif(r.error_str, '') "
    "is not null)"
)
OUTCOME = (
    "case when lower(r.status) in ('success', 'failure') then lower(r.status) "
    f"when {IS_ERROR} then 'failure' "
    "when lower(r.status_fields.llm_api_status) in ('success', 'failure') "
    "then lower(r.status_fields.llm_api_status) else 'unknown' end"
)


def _number(field: str) -> str:
    """SQL of a whole number as text, the same on all engines."""
    return f"cast(try_cast(try_cast({field} as double) as bigint) as string)"


COLUMNS = {
    "event_id": "concat_ws('/', coalesce(nullif(r.id, ''), md5(concat_ws('|', r.trace_id, "
    f"r.call_type, r.model, {KEY}, {REQUESTER}))), "
    f"cast(unix_micros({TIME}) as string))",
    "event_time": TIME,
    "principal": f"coalesce({USER}, {EMAIL}, {ALIAS}, "
    f"nullif({META}.user_api_key_user_id, ''), {TEAM}, {KEY}, 'anonymous')",
    # The creator of a key chooses its alias, so the alias counts only for a key without an owner.
    "names": one_a_line(
        USER, EMAIL, KEY, chosen(f"case when {USER} is null and {EMAIL} is null then {ALIAS} end")
    ),
    "kind_hint": f"case when {USER} is null and {EMAIL} is null and {TEAM} is not null "
    "then 'service' end",
    "acting_as": f"case when {CALLER_SAYS} <> coalesce({USER}, '') then {CALLER_SAYS} end",
    "credential": KEY,
    "issued_credential": NO_TEXT,
    "action": CALL,
    "action_class": class_of(CALL, CLASSES, "'other'"),
    "resource": "concat('model://', coalesce(nullif(r.model_group, ''), nullif(r.model, ''), '-'))",
    "object": NO_TEXT,
    "destination": NO_TEXT,
    "bytes_out": "cast(null as bigint)",
    "source_ip": address("seen_address"),
    "user_agent": f"coalesce(nullif(r.user_agent, ''), nullif({META}.user_agent, ''), "
    f"{TAGGED_AGENT})",
    "outcome": OUTCOME,
    "details": details_json(
        {
            "cache_hit": "case when lower(r.cache_hit) = 'true' then 'true' end",
            "completion_tokens": _number("r.completion_tokens"),
            "end_user": CALLER_SAYS,
            "error_class": "nullif(r.error_information.error_class, '')",
            "error_code": "nullif(r.error_information.error_code, '')",
            "forwarded_for": "forwarded_for",
            "guardrail": "nullif(nullif(r.status_fields.guardrail_status, ''), 'not_run')",
            "key_alias": ALIAS,
            # Number of weighted tokens: a sweep over all tokens can read a model's last layer.
            "logit_bias": f"case when {WEIGHTED} > 0 then cast({WEIGHTED} as string) end",
            "logprobs": f"case when lower({SAMPLING}.logprobs) not in ('false', '0', '') "
            f"then lower({SAMPLING}.logprobs) end",
            "max_tokens": f"coalesce({_number(f'{SAMPLING}.max_completion_tokens')}, "
            f"{_number(f'{SAMPLING}.max_tokens')})",
            "n": _number(f"{SAMPLING}.n"),
            **{name: name for name in HASHES},
            "prompt_tokens": _number("r.prompt_tokens"),
            "provider": "nullif(r.custom_llm_provider, '')",
            "provider_model": "nullif(r.model, '')",
            "route": f"nullif({META}.user_api_key_request_route, '')",
            "stream": "case when lower(r.stream) = 'true' then 'true' end",
            "team": TEAM,
            "temperature": f"cast(try_cast(try_cast({SAMPLING}.temperature as double) "
            "as decimal(6,2)) as string)",
            "tool": f"nullif(concat_ws('/', nullif({META}.mcp_tool_call_metadata.mcp_server_name, "
            f"''), nullif({META}.mcp_tool_call_metadata.name, '')), '')",
            "top_logprobs": _number(f"{SAMPLING}.top_logprobs"),
            "trace": "nullif(r.trace_id, '')",
            UNKNOWN_ACTION: f"substring({unknown_action(CALL, CLASSES)}, 1, 80)",
        }
    ),
    # A stream that broke after its answer had begun makes two records.
    "precedence": "case lower(r.status) when 'success' then 1 else 0 end",
    "problem": f"case when {CALL} is null then {quoted('no call_type')} end",
}


RECORD_TYPE = record_type(field_map("litellm_gateway").used)

LOG_FORMAT = LogFormat(
    columns=lambda _: COLUMNS,
    json=JsonRecords(
        type=lambda _: RECORD_TYPE,
    ),
    addresses=ADDRESSES,
    derived=fingerprints("r.messages", "prompt_key"),
    private_text=True,
)
