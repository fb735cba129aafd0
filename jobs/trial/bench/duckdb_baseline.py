"""The same work in plain DuckDB: parse, deduplicate, resolve, write events and access.

    python -m jobs.trial.bench.duckdb_baseline FOLDER FRAMING OUT

It is written well for DuckDB: declared columns, all threads, Parquet output. It does less than the
pipeline: no rejects, no way back from role sessions to their callers, no fields outside these two
tables. So the comparison favours DuckDB.
"""

from __future__ import annotations

import sys
from pathlib import Path

RECORD = (
    "STRUCT(eventID VARCHAR, eventTime VARCHAR, eventSource VARCHAR, eventName VARCHAR, "
    "awsRegion VARCHAR, sourceIPAddress VARCHAR, userAgent VARCHAR, errorCode VARCHAR, "
    "readOnly VARCHAR, recipientAccountId VARCHAR, sharedEventID VARCHAR, vpcEndpointId VARCHAR, "
    'userIdentity STRUCT("type" VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, '
    "accessKeyId VARCHAR, userName VARCHAR, invokedBy VARCHAR, sessionContext STRUCT("
    "sessionIssuer STRUCT(arn VARCHAR), sourceIdentity VARCHAR)), "
    'requestParameters STRUCT(bucketName VARCHAR, "key" VARCHAR, "x-amz-copy-source" VARCHAR, '
    '"Range" VARCHAR, roleArn VARCHAR), responseElements STRUCT(credentials STRUCT('
    "accessKeyId VARCHAR)), additionalEventData STRUCT(bytesTransferredOut DOUBLE), "
    "resources STRUCT(ARN VARCHAR, accountId VARCHAR)[])"
)

FOLDERS_AND_ADDRESSES = """
create table folders as
    with f as (select distinct regexp_extract(resource, '^.*/') as folder from parsed)
    select folder, arg_max(asset_id, length(prefix)) as asset_id,
        max(length(prefix)) as prefix_chars
    from f join assets on starts_with(folder, prefix) group by folder;
create table addresses as
    with a as (select distinct source_ip from parsed where source_ip similar to '[0-9.]+')
    select source_ip, arg_max(zone, bits) as zone, arg_max(country, bits) as country,
        arg_max(asn, bits) as asn
    from a join networks on (ip(source_ip) >> (32 - bits)) = (ip(base) >> (32 - bits))
    group by source_ip;
"""

EVENTS = """
create table events as
    select p.event_id, p.event_time, p.event_time::date as day, 'trail' as source,
        'aws_cloudtrail' as format, p.principal,
        coalesce(s.user_id, k.user_id, p.principal) as user_id,
        coalesce(s.kind, k.kind, 'unknown') as user_kind, p.acting_as, p.credential,
        p.action, p.action_class, p.resource, null::varchar as destination, f.asset_id,
        substring(p.resource, coalesce(f.prefix_chars, 5) + 1) as object, p.bytes_out,
        p.source_ip, n.country, n.zone, n.asn, p.user_agent, p.outcome, p.details
    from (select * from parsed where event_id not in
            (select event_id from parsed group by 1 having count(*) > 1)
        union all by name
        select any_value(columns(*)) from parsed where event_id in
            (select event_id from parsed group by 1 having count(*) > 1)
        group by event_id) p
    left join aliases s on s.name = p.session
    left join aliases k on k.name = p.acting_as
    left join folders f on f.folder = regexp_extract(p.resource, '^.*/')
    left join addresses n on n.source_ip = p.source_ip;
"""

ACCESS = """
with h as (
    select user_id, user_kind,
        coalesce(asset_id, regexp_extract(resource, '^s3://[^/]*')) as asset,
        action_class, hour(event_time) as hour, count(*) as events,
        count(*) filter (outcome = 'failure') as failures, sum(bytes_out) as bytes_out,
        count(distinct object) filter (outcome <> 'failure') as objects,
        min(event_time) as first_time, max(event_time) as last_time
    from events group by all
), d as (
    select user_id, user_kind,
        coalesce(asset_id, regexp_extract(resource, '^s3://[^/]*')) as asset,
        action_class, count(distinct object) filter (outcome <> 'failure') as objects,
        list_sort(list(distinct action)) as actions,
        list_sort(list(distinct source_ip)) as addresses,
        list_sort(list(distinct concat_ws('/', zone, country, asn))) as networks,
        list_sort(list(distinct regexp_extract(user_agent, '[A-Za-z0-9_.+-]+')))
            as agents,
        list_sort(list(distinct credential)) as credentials,
        list_sort(list(distinct acting_as)) as acting_as
    from events group by all
)
select d.*, sum(h.events) as events, sum(h.failures) as failures,
    sum(h.bytes_out) as bytes_out, min(h.first_time) as first_time,
    max(h.last_time) as last_time,
    list({'hour': hour, 'events': h.events, 'bytes': h.bytes_out,
        'objects': h.objects} order by hour) as hourly
from h join d using (user_id, user_kind, asset, action_class) group by all
"""


def main(folder: Path, framing: str, out: Path) -> None:
    """Write ``out``/events and ``out``/access.parquet."""
    import duckdb

    out.mkdir(parents=True, exist_ok=True)
    db = duckdb.connect(str(out / "scratch.duckdb"))
    db.execute("set threads = 2; set memory_limit = '5GB'; set preserve_insertion_order = false")
    db.execute(_context(folder / "context"))
    db.execute(_parsed(_source(f"{folder}/{framing}/*/*/*/*.json.gz", framing)))
    db.execute(FOLDERS_AND_ADDRESSES)
    db.execute(EVENTS)
    db.execute(
        f"copy events to '{out}/events' (format parquet, partition_by (day), overwrite true)"
    )
    db.execute(f"copy ({ACCESS}) to '{out}/access.parquet' (format parquet)")
    db.close()
    (out / "scratch.duckdb").unlink(missing_ok=True)


def _source(files: str, framing: str) -> str:
    """SQL: the records of all files, each as a struct ``r``."""
    if framing == "envelopes":
        return (
            f"select unnest(Records) as r from read_json('{files}', "
            f"columns = {{'Records': '{RECORD}[]'}}, format = 'auto', "
            "maximum_object_size = 33554432)"
        )
    fields = RECORD.removeprefix("STRUCT(").removesuffix(")")
    columns = ", ".join(
        f"'{name}': '{kind}'" for name, kind in (_split(field) for field in _fields(fields))
    )
    return (
        f"select t as r from read_json('{files}', columns = {{{columns}}}, "
        "format = 'newline_delimited') t"
    )


def _context(context: Path) -> str:
    """SQL: tables of the context files, and a macro that turns an address into a number."""
    return f"""
        create table aliases as
            select unnest(string_split(aliases, ';')) as name, user_id, kind
            from read_csv('{context}/directory.csv', all_varchar = true);
        create table assets as
            select asset_id, kind, replace(pattern, '*', '') as prefix
            from read_csv('{context}/assets.csv', all_varchar = true);
        create table networks as
            select cidr, zone, country, asn,
                string_split(cidr, '/')[1] as base, string_split(cidr, '/')[2]::int as bits
            from read_csv('{context}/networks.csv', all_varchar = true);
        create macro ip(a) as (string_split(a, '.')[1]::bigint << 24)
            + (string_split(a, '.')[2]::bigint << 16) + (string_split(a, '.')[3]::bigint << 8)
            + string_split(a, '.')[4]::bigint;
        """


def _parsed(source: str) -> str:
    """SQL: the wanted fields of the records of the day."""
    return f"""
        create table parsed as
            select r.eventID as event_id, r.eventTime::timestamp as event_time,
                r.userIdentity.arn as principal,
                string_split(r.userIdentity.arn, '/')[-1] as session,
                r.userIdentity.sessionContext.sessionIssuer.arn as acting_as,
                r.userIdentity.accessKeyId as credential, r.eventName as action,
                case when r.eventName in ('GetObject') then 'read'
                    when r.eventName like 'List%' then 'list'
                    when r.eventName like 'Head%' then 'inspect'
                    when r.eventName in ('CopyObject', 'UploadPartCopy') then 'copy'
                    when r.eventName in ('PutObject', 'UploadPart') then 'write'
                    when r.eventName like 'Delete%' then 'delete' else 'other' end as action_class,
                's3://' || r.requestParameters.bucketName || '/' || r.requestParameters."key"
                    as resource,
                r.additionalEventData.bytesTransferredOut::bigint as bytes_out,
                r.sourceIPAddress as source_ip, r.userAgent as user_agent,
                if(r.errorCode is null, 'success', 'failure') as outcome,
                map_from_entries([e for e in [('account', r.userIdentity.accountId),
                    ('error_code', r.errorCode), ('identity_type', r.userIdentity."type"),
                    ('range', r.requestParameters."Range"),
                    ('recipient_account', r.recipientAccountId), ('region', r.awsRegion),
                    ('service', string_split(r.eventSource, '.')[1]),
                    ('vpc_endpoint', r.vpcEndpointId)] if e[2] is not null]) as details
            from ({source}) where r.eventTime like '2026-10-05%';
        """


def _fields(text: str) -> list[str]:
    """Top-level fields of a DuckDB struct's body."""
    fields, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            fields.append(text[start:place].strip())
            start = place + 1
    return [*fields, text[start:].strip()]


def _split(field: str) -> tuple[str, str]:
    name, kind = field.split(" ", 1)
    return name.strip('"'), kind


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
