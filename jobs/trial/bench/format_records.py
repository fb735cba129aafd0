"""Templates of the benchmark's logs, for every format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Log:
    """A format's log: templates of single lines or of groups of lines.

    All templates are equally likely. ``header`` is the first line of a file, if it names columns.
    ``source`` holds the source's settings in the config.
    """

    lines: tuple[str, ...]
    header: str | None = None
    suffix: str = "ndjson"
    source: dict[str, Any] = field(default_factory=dict)


LOGS = {
    "aws_s3_access": Log(
        (
            "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be <bucket> "
            "[05/Oct/2026:<clock> +0000] <ip> arn:aws:sts::111122223333:assumed-role/"
            "research-<team>/<user>@example.com <id16> <s3_request> <id76> SigV4 "
            "TLS_AES_128_GCM_SHA256 AuthHeader <bucket>.s3.us-east-1.amazonaws.com TLSv1.3 - -",
        ),
        suffix="log",
    ),
    "azure_storage": Log(
        (
            '{"time":"<time>.<micro>7Z","resourceId":"/subscriptions/00000000-1111-2222-3333-'
            "444444444444/resourceGroups/research/providers/Microsoft.Storage/storageAccounts/"
            'labckpt<team>/blobServices/default","category":<azure_operation>,"operationVersion":'
            '"2023-11-03","schemaVersion":"1.0","statusCode":<azure_status>,"durationMs":<ms>,'
            '"callerIpAddress":"<ip>:<port>","correlationId":"<uuid>","identity":{<azure_identity>}'
            ',"location":"West Europe","properties":{"accountName":"labckpt<team>",'
            '"userAgentHeader":"azsdk-python-storage-blob/12.19.1 Python/3.11.9 '
            '(Linux-6.1.0-x86_64-with-glibc2.36)","clientRequestId":"<other_uuid>","etag":'
            '"\\"0x<id16>\\"","serviceType":"blob","objectKey":"/labckpt<team>/<bucket>/<key>",'
            '"lastModifiedTime":"2026/09/30 11:02:07.1234567","metricResponseType":"Success",'
            '"serverLatencyMs":<ms>,"requestHeaderSize":601,"responseHeaderSize":410,'
            '"responseBodySize":<bytes>,"tlsVersion":"TLS 1.3","downloadRange":"bytes=0-8388607"},'
            '"uri":"https://labckpt<team>.blob.core.windows.net:443/<bucket>/<key>","protocol":'
            '"HTTPS","resourceType":"Microsoft.Storage/storageAccounts/blobServices"}',
        ),
        suffix="json",
    ),
    "gcp_audit": Log(
        (
            '{"insertId":"<id16>","logName":"projects/lab-prod/logs/cloudaudit.googleapis.com%2F'
            'data_access","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog"'
            ',"authenticationInfo":{<gcp_identity>},"authorizationInfo":[{"granted":true,'
            '"permission":"storage.objects.<gcp_verb>","resource":"projects/_/buckets/<bucket>/'
            'objects/<key>","resourceAttributes":{}}],"methodName":"storage.objects.<gcp_verb>",'
            '"requestMetadata":{"callerIp":"<ip>","callerSuppliedUserAgent":"gcloud-python/2.18.2 '
            '<agent>,gzip(gfe)","destinationAttributes":{},"requestAttributes":{"auth":{},"reason":'
            '"8uSywAYQGg5Db2xpc2V1bSBGbG93cw","time":"<time>.<micro>123Z"}},"resourceLocation":{'
            '"currentLocations":["us-central1"]},"resourceName":"projects/_/buckets/<bucket>/'
            'objects/<key>","serviceName":"storage.googleapis.com","status":{<gcp_status>}},'
            '"receiveTimestamp":"<time>.<micro>456Z","resource":{"labels":{"bucket_name":"<bucket>"'
            ',"location":"us-central1","project_id":"lab-prod"},"type":"gcs_bucket"},"severity":'
            '"INFO","timestamp":"<time>.<micro>123Z"}',
        ),
    ),
    "github_audit": Log(
        (
            '{"@timestamp":<epoch><milli>,"_document_id":"<id24>==","action":"<github_action>",'
            '"actor":"<user>-gh","actor_id":<number>,"actor_ip":"<ip>","actor_is_bot":false,'
            '"actor_location":{"country_code":"US"},"business":"lab-inc","business_id":4242,'
            '"created_at":<epoch><milli>,"external_identity_nameid":"<user>@example.com",'
            '"external_identity_username":"<user>","hashed_token":"<id40>=","org":"lab","org_id":'
            '100200300,"programmatic_access_type":"Personal access token (classic)","repo":'
            '"<repo>","repo_id":<number>,"repository":"<repo>","repository_public":false,'
            '"request_id":"<id16>","token_id":<number>,"token_scopes":"repo,read:org,workflow",'
            "<github_end>}",
        ),
    ),
    "gitlab_audit": Log(
        (
            *[
                '{"id":"<uuid>","author_id":1<who>,"entity_id":<number>,"entity_type":"Project",'
                '"details":{"author_name":"User <who>","author_class":"User","author_email":'
                '"<user>@example.com","target_id":<number>,"target_type":"Project",'
                '"target_details":"trainer-<run>","custom_message":<gitlab_message>,"ip_address":'
                '"<ip>","entity_path":"<repo>"},"ip_address":"<ip>","author_name":"User <who>",'
                '"entity_path":"<repo>","target_details":"trainer-<run>","created_at":'
                '"<time>.<milli>Z","target_type":"Project","target_id":<number>,"event_type":'
                '"repository_git_operation"}'
            ]
            * 4,
            '{"severity":"INFO","time":"<time>.<milli>Z","correlation_id":"01K6<id16>",'
            '"meta.caller_id":"SessionsController#create","meta.remote_ip":"<ip>",'
            '"meta.feature_category":"system_access","meta.user":"<user>","meta.user_id":1<who>,'
            '"meta.client_id":"user/1<who>","author_id":1<who>,"author_name":"User <who>",'
            '"entity_id":1<who>,"entity_type":"User","created_at":"<time>.<milli>+00:00","with":'
            '"standard","target_id":1<who>,"target_type":"User","target_details":"User <who>"}',
        ),
    ),
    "kubernetes_audit": Log(
        (
            '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"<uuid>",'
            '"stage":"ResponseComplete",<kubernetes_request>,"responseStatus":{"metadata":{},"code"'
            ':200},"requestReceivedTimestamp":"<time>.<micro>Z","stageTimestamp":"<time>.<micro>Z",'
            '"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":'
            '"RBAC: allowed by ClusterRoleBinding \\"research-<team>-edit\\" of ClusterRole '
            '\\"edit\\" to Group \\"research-<team>\\""}}',
        ),
        suffix="log",
        source={"cluster": "prod-east"},
    ),
    "litellm_gateway": Log(
        (
            '{"id":"chatcmpl-<uuid>","trace_id":"<other_uuid>","call_type":"acompletion",'
            '"cache_hit":null,"stream":true,"status":"success","status_fields":{"llm_api_status":'
            '"success","guardrail_status":"not_run"},"custom_llm_provider":"hosted_vllm",'
            '"saved_cache_cost":0.0,"startTime":<epoch>.<micro>,"endTime":<epoch>.9<micro>,'
            '"completionStartTime":<epoch>.5<micro>,"response_time":2.25,"model":"orion-xl-<run>",'
            '"metadata":{"user_api_key_hash":"<id64>","user_api_key_alias":"notebook-<user>",'
            '"user_api_key_spend":12.5,"user_api_key_max_budget":null,"user_api_key_org_id":null,'
            '"user_api_key_team_id":"<other_uuid>","user_api_key_user_id":"<user>",'
            '"user_api_key_user_email":"<user>@example.com","user_api_key_team_alias":'
            '"research-<team>","user_api_key_end_user_id":null,"user_api_key_request_route":'
            '"/v1/chat/completions","spend_logs_metadata":null,"requester_ip_address":"<ip>",'
            '"user_agent":"OpenAI/Python 1.99.1","requester_metadata":{},'
            '"requester_custom_headers":{},"mcp_tool_call_metadata":null,'
            '"vector_store_request_metadata":null,"applied_guardrails":[],"usage_object":{'
            '"completion_tokens":<ms>,"prompt_tokens":<number>,"total_tokens":<number>},'
            '"cold_storage_object_key":null},"cache_key":null,"response_cost":0.0021,'
            '"cost_breakdown":{"input_cost":0.001,"output_cost":0.0011,"total_cost":0.0021},'
            '"total_tokens":<number>,"prompt_tokens":<number>,"completion_tokens":<ms>,'
            '"request_tags":["User-Agent: OpenAI","User-Agent: OpenAI/Python 1.99.1"],'
            '"end_user":"","api_base":"http://vllm.example.com/v1","model_group":"orion-xl","model_id":"<id64>",'
            '"requester_ip_address":"<ip>","messages":[{"role":"system","content":'
            '"You are a careful assistant."},{"role":"user","content":"<question>"}],"response":{'
            '"id":"chatcmpl-<uuid>","choices":[{"finish_reason":"stop","index":0,"message":{'
            '"content":"<answer>","role":"assistant","tool_calls":null,"function_call":null}}],'
            '"created":<epoch>,"model":"orion-xl","object":"chat.completion","usage":{'
            '"completion_tokens":<ms>,"prompt_tokens":<number>}},"model_parameters":{<sampling>},'
            '"hidden_params":{"model_id":"<id64>","cache_key":null,"api_base":'
            '"http://vllm.example.com/v1","response_cost":"0.0021","additional_headers":{'
            '"llm_provider-content-type":"application/json","llm_provider-server":"uvicorn"},'
            '"litellm_model_name":"hosted_vllm/orion-xl"},"model_map_information":{'
            '"model_map_key":"orion-xl","model_map_value":null},"error_str":null,'
            '"error_information":{"error_code":"","error_class":"","llm_provider":"","traceback":'
            '"","error_message":""},"response_cost_failure_debug_info":null,'
            '"guardrail_information":null,"standard_built_in_tools_params":{"web_search_options":'
            "null}}",
        ),
    ),
    "minio_audit": Log(
        (
            '{"version":"1","deploymentid":"8ca2b7ad-20cf-4d07-9efb-28b2f519f4a5","time":'
            '"<time>.<micro>299Z","event":"","trigger":"incoming","api":{<minio_request>,"bucket":'
            '"<bucket>","object":"<key>","status":"OK","statusCode":200,"rx":0,"tx":<bytes>,'
            '"txHeaders":352,"timeToFirstByte":"<number>ns","timeToFirstByteInNS":"<number>",'
            '"timeToResponse":"<bytes>ns","timeToResponseInNS":"<bytes>"},"remotehost":"<ip>",'
            '"requestID":"<id16>","userAgent":"MinIO (linux; amd64) minio-go/v7.0.66 <agent>",'
            '"requestPath":"/<bucket>/<key>","requestHost":"minio.example.com:9000",'
            '"requestHeader":{<minio_range>"Accept-Encoding":"zstd,gzip","Authorization":'
            '"AWS4-HMAC-SHA256 Credential=<id16>/20261005/us-east-1/s3/aws4_request, '
            'SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=<id64>","User-Agent":'
            '"MinIO (linux; amd64) minio-go/v7.0.66 <agent>","X-Amz-Content-Sha256":"<id64>",'
            '"X-Amz-Date":"20261005T000000Z"},"responseHeader":{"Accept-Ranges":"bytes",'
            '"Content-Length":"<bytes>","ETag":"<id24>","Server":"MinIO",'
            '"Strict-Transport-Security":"max-age=31536000; includeSubDomains","Vary":"Origin",'
            '"X-Amz-Id-2":"<id64>","X-Amz-Request-Id":"<id16>","X-Content-Type-Options":"nosniff",'
            '"X-Xss-Protection":"1; mode=block"},<minio_identity>}',
        ),
    ),
    "slurm_sacct": Log(
        (
            "<number>|<number>|a100|train|normal|research-<team>|research|2000|<user>|1<who>|"
            "<time>|<time>|<time>|2026-10-05T23:59:59|04:12:24|0:0|COMPLETED|2|96|96|1000000M|"
            "billing=96,cpu=96,gres/gpu=16,mem=1000000M,node=2|billing=96,cpu=96,gres/gpu:a100=16,"
            "gres/gpu=16,mem=1000000M,node=2|1-00:00:00|gpu-[<node>,4<node>]|train-run-<run>|"
            "/home/<user>/run-<run>\n"
            "<number>.batch|<number>.batch|a100|||research-<team>|||||<time>|<time>|<time>|"
            "2026-10-05T23:59:59|04:12:24|0:0|COMPLETED|1|48|48|||cpu=48,gres/gpu:a100=8,"
            "gres/gpu=8,mem=500000M,node=1||gpu-<node>|batch|\n"
            "<number>.0|<number>.0|a100|||research-<team>|||||<time>|<time>|<time>|"
            "2026-10-05T23:59:59|04:12:24|0:0|CANCELLED by 1<who>|2|96|96|||cpu=96,gres/gpu:a100=16"
            ",gres/gpu=16,mem=1000000M,node=2||gpu-[<node>,4<node>]|python|",
        ),
        header="JobID|JobIDRaw|Cluster|Partition|QOS|Account|Group|GID|User|UID|Submit|Eligible|"
        "Start|End|Elapsed|ExitCode|State|NNodes|NCPUS|ReqCPUS|ReqMem|ReqTRES|AllocTRES|Timelimit|"
        "NodeList|JobName|WorkDir",
        suffix="txt",
        source={"cluster": "a100"},
    ),
    "sshd": Log(
        tuple(
            "\n".join(f"<syslog> {message}" for message in connection)
            for connection in (
                (
                    "Accepted publickey for <user> from <ip> port <port> ssh2: ED25519 "
                    "SHA256:<id40>",
                    "pam_unix(sshd:session): session opened for user <user>(uid=<pid>) by (uid=0)",
                    "Received disconnect from <ip> port <port>:11: disconnected by user",
                    "Disconnected from user <user> <ip> port <port>",
                    "pam_unix(sshd:session): session closed for user <user>",
                ),
                (
                    "Accepted publickey for ubuntu from <ip> port <port> ssh2: ED25519-CERT "
                    "SHA256:<id40> ID <user>@example.com (serial <pid>) CA ED25519 SHA256:<id40>",
                    "pam_unix(sshd:session): session opened for user ubuntu(uid=1000) by (uid=0)",
                    "Starting session: subsystem 'sftp' for ubuntu from <ip> port <port> id 0",
                    "Connection closed by <ip> port <port>",
                    "pam_unix(sshd:session): session closed for user ubuntu",
                ),
                (
                    "Invalid user admin from <stranger> port <port>",
                    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
                    "ruser= rhost=<stranger>",
                    "Failed password for invalid user admin from <stranger> port <port> ssh2",
                    "Received disconnect from <stranger> port <port>:11: Bye Bye [preauth]",
                    "Disconnected from invalid user admin <stranger> port <port> [preauth]",
                ),
                (
                    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
                    "ruser= rhost=<stranger>  user=root",
                    "Failed password for root from <stranger> port <port> ssh2",
                    "Connection closed by authenticating user root <stranger> port <port> "
                    "[preauth]",
                ),
            )
        ),
        suffix="log",
    ),
    "mapped_csv": Log(
        (
            "<time>.<milli>Z,<user>@example.com,<wiki_verb>,research-<team>,"
            '"Runs/<run>/Results, step <number>",<ip>,<bytes>,"Mozilla/5.0 (X11; Linux x86_64) '
            'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",<uuid>,200',
        ),
        header="when,user,activity,space,page,address,bytes,browser,session,status",
        suffix="csv",
        source={"format": "mapped"},
    ),
    "mapped_json": Log(
        (
            '{"when":"<time>.<milli>Z","user":"<user>@example.com","activity":"<wiki_verb>",'
            '"space":"research-<team>","page":"Runs/<run>/Results, step <number>","address":"<ip>",'
            '"bytes":<bytes>,"browser":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, '
            'like Gecko) Chrome/129.0.0.0 Safari/537.36","session":"<uuid>","status":200}',
        ),
        source={"format": "mapped"},
    ),
}
