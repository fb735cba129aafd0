"""Rare acts of administration that detectors look for, by kind, in each vendor's words.

Patterns are of actions in lower case. They use only words that Rust, Java and Python all know.
"""

from __future__ import annotations

LOG_ENDS = (
    # AWS: CloudTrail, its lake, flow logs, CloudWatch, Config, GuardDuty, Security Hub
    r"^(stop|delete)(logging|trail|eventdatastore\w*|configurationrecorder)$",
    r"^delete(flowlogs|loggroup|logstream|subscriptionfilter|deliverychannel|detector)$",
    r"^(disablesecurityhub|disablemacie|stopmonitoringmembers|disassociatemembers)$",
    r"^delete(bucketlogging|loggingconfiguration|modelinvocationloggingconfiguration)$",
    # Google Cloud: sinks, exclusions, buckets of logs
    r"(configservicev2|loggingservicev2)[.](deletesink|createexclusion|deletelog|deletebucket"
    r"|deleteview|deletelink)$",
    # Azure: diagnostic settings
    r"diagnosticsettings/delete$|insights/\w*logprofiles/delete$",
    # GitHub and GitLab: streams of the audit log
    r"audit_log_stream\w*[.](destroy|delete|disable)\w*$",
    r"(audit_event\w*_?stream|event_streaming_destination)\w*(destroy|delete|remove)\w*$",
    r"(destroy|delete|remove)\w*(audit_event|event_streaming)\w*$",
    # MinIO: the target of its audit log
    r"^(admin[.])?delconfigkv(handler)?$",
)
"""Actions after which events are no longer logged."""
LOG_NARROWS = (
    r"^(puteventselectors|putinsightselectors|updatetrail|updateeventdatastore)$",
    r"^(putbucketlogging|putretentionpolicy|updatedetector|putconfigurationrecorder)$",
    r"^(put|update)\w*loggingconfiguration$|^disableorganizationadminaccount$",
    r"configservicev2[.]update(sink|exclusion|bucket|settings|cmeksettings)$",
    r"diagnosticsettings/write$|^set(blob|queue|table|file)serviceproperties$",
    r"audit_log_stream\w*[.]update$|disable_source_ip_disclosure$|audit_log_git_event\w*disable",
    r"(audit_event\w*_?stream|event_streaming_destination)\w*update\w*$",
    r"^(admin[.])?setconfigkv(handler)?$",
)
"""Actions that may leave out events, or say how long they are kept; their requests tell which."""
CLUSTER_LOGS = r"auditsinks|auditpolic"
"""Parts of the asset or action of a change of what Kubernetes logs."""
BUILD_ACTS = {
    "workflow": (
        # Workflows, what they may do, and rules of branches that are passed over
        r"^workflows[.](enable|disable|pin|unpin)_workflow$",
        r"^workflows[.](bypass_protection_rules|approve_workflow_job)$",
        r"^(org|business|enterprise|repo)[.](set|update|clear)_(default_workflow|actions|fork_pr)",
        r"^(org|business|enterprise|repo)[.](actions_enabled|required_workflow_\w+)$",
        r"^protected_branch[.](policy_override|destroy|update_admin_enforced\w*)$",
        r"^(repository_ruleset|repository_rule)[.](update|destroy)$",
        r"^(create|update)(pipeline|project|webhook)$",
        r"cloudbuild\w*[.](create|update)buildtrigger$",
        r"^(protected_branch|push_rules?|ci_cd_settings?)\w*_(updated?|removed|destroyed|changed)$",
    ),
    "runner": (
        r"[.](register|configure)_self_hosted_runner\w*$|[.]runner_group_(created|runners_added"
        r"|updated|visibility_updated)$|^(custom|github)_hosted_runner[.](create|update)$",
        r"^ci_runners?_(registered|created|assigned\w*|registration_token_reset)$",
        r"^set_runner_associated_projects$",
    ),
    "key": (
        r"^(repo[.]create_)?deploy_key([.]create)?$|^public_key[.]create$",
        r"deploy_(key|token)_(created|added|enabled)$|^add_(deploy_)?key$|^createaccesskey$",
        r"createserviceaccountkey$",
    ),
    "app": (
        r"^integration_installation[.](create|repositories_added|unsuspend|version_updated)$",
        r"^(org[.]oauth_app_access_approved|oauth_application[.]\w*secret)$",
        r"^integration[.]generate_client_secret$|oauth_application_(created|updated)$",
    ),
    "token": (
        r"^personal_access_token[.](access_granted|request_created|create)$",
        r"^(project|group)_access_token_(created|create)\w*$|^personal_access_token_(created|issued)",
        r"agent_token_created$",
    ),
    "secret": (
        r"^environment[.](create|add_protection_rule|remove_protection_rule"
        r"|update_protection_rule|create_actions_secret|update_actions_secret)\w*$",
        r"^(org|repo)[.](create|update)_(actions_secret|actions_variable|integration_secret)$",
        r"^ci_\w*variable_(created|updated)$|^(protected_)?environment_\w+$",
    ),
    "hook": (r"^hook[.](create|config_changed|events_changed)$", r"webhook_(created|updated)$"),
    "image": (
        r"^putimage$|^setrepositorypolicy$|^packages[.]package_version_published$",
        r"^(create|put)(pullthroughcacherule|registrypolicy|replicationconfiguration)$",
    ),
    "account": (
        # Who may act as a build identity
        r"^updateassumerolepolicy$|^(create|update)openidconnectprovider\w*$",
        r"^(attachrolepolicy|putrolepolicy|addroletoinstanceprofile)$|^updatefunctioncode\w*$",
    ),
}
"""Acts that change what a pipeline runs, where it runs, or as whom."""
CLUSTER_ACTS = {
    "serviceaccounts": "account",
    "roles": "account",
    "clusterroles": "account",
    "rolebindings": "account",
    "clusterrolebindings": "account",
    "cronjobs": "workflow",
    "workflows": "workflow",
    "workflowtemplates": "workflow",
    "cronworkflows": "workflow",
    "pipelines": "workflow",
    "mutatingwebhookconfigurations": "hook",
    "runners": "runner",
    "runnerdeployments": "runner",
    "autoscalingrunnersets": "runner",
}
"""Kinds of objects of Kubernetes, and the kind of act that a change of one is."""
LOG_ACT = "log"
ACT_KINDS = (LOG_ACT, *BUILD_ACTS)
EFFECTS = ("narrows", "widens")
"""What a change of a log does to it, as far as its request tells."""
