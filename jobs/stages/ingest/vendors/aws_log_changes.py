"""Whether a request to AWS leaves events out of a log, or logs all of them.

The request does not tell how the log was before. So only selectors that leave nothing out widen a
log for certain, and selectors that name exceptions narrow it. Of all others nothing is said.
"""

from __future__ import annotations

PARAMETERS = "r.requestParameters"
SELECTORS = f"replace({PARAMETERS}.eventSelectors, ' ', '')"
FIELDS = f"replace({PARAMETERS}.advancedEventSelectors, ' ', '')"
LOGGING = f"replace({PARAMETERS}.BucketLoggingStatus, ' ', '')"
LEFT_OUT = (
    '"readWriteType":"(ReadOnly|WriteOnly)"|"includeManagementEvents":false|'
    '"excludeManagementEventSources":\\\\[[^]]|"dataResources":\\\\[\\\\]|"values":\\\\[\\\\]'
)
"""Pattern of a basic selector that leaves out some events."""
ALL_OBJECTS = '"values":\\\\["arn:aws[a-z-]*:s3(:::)?"\\\\]'
EXCEPTIONS = '"(notEquals|notStartsWith|notEndsWith)":\\\\[[^]]|"field":"resources.ARN"'
LOG_CHANGE = f"""case
    when r.eventName = 'PutBucketLogging' then
        if(coalesce({LOGGING}, '') like '%LoggingEnabled%', 'widens', 'narrows')
    when r.eventName <> 'PutEventSelectors' then null
    when {SELECTORS} rlike '{LEFT_OUT}' or {FIELDS} rlike '{EXCEPTIONS}' then 'narrows'
    when {SELECTORS} = '[]' or {FIELDS} = '[]' then 'narrows'
    when {SELECTORS} rlike '{ALL_OBJECTS}' then 'widens' end"""
"""SQL of ``narrows``, ``widens``, or null where the request does not tell."""
