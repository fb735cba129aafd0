"""Rows of ``job_access``: content that the roles of jobs took, by the submitter of the job.

The reader's identity is not the submitter's: it is a role of the cluster, a service account, or a
role under which the submitter acts. See :data:`schemas.tables.jobs.TIES` for the ways to tie both.
A reading goes to the submitters with the most certain tie alone, so that the name of a session,
which its opener chooses, draws no suspicion away from the node that the reading came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

from jobs.stages.sql import computed_once, exprs
from schemas.tables.jobs import JOB_ACCESS, JOB_DAYS, TIES
from schemas.tables.values import MAX_LISTED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from schemas.context import Context

TAKEN = "action_class in ('clone', 'copy', 'read') and events > failures"
SLACK = "interval 2 minutes"
"""Clocks of nodes and of logs differ."""
IS_HANDLE = "handle rlike '^[0-9]{4,}$' or (length(handle) >= 8 and instr(handle, '-') > 0)"
"""SQL: no session is called so by chance: a job's number, or a name of several words."""
MOST_WORDS = 12
"""Words of a session's name in which the name of a job is looked for."""
SPOT = ("user_id", "user_kind", "session_name", "source_ip", "acting_as", "known", "asset_id")
ACCOUNT = "'^system:serviceaccount:([^:]+):'"


def job_access_rows(
    ways: DataFrame,
    objects: DataFrame,
    jobs: DataFrame,
    accounts: DataFrame,
    day: date,
    folder: str,
) -> DataFrame:
    """``job_access`` of the day.

    ``ways``, ``objects``: the frames that ``access`` is made of; ``jobs``: of the day and of the
    JOB_DAYS before it; ``accounts``: rows of :func:`account_rows`; ``folder``: for scratch files.
    """
    spots = computed_once(_spots(ways), f"{folder}/spots.parquet")
    tied = computed_once(_tied(spots, _running(jobs), accounts), f"{folder}/tied.parquet")
    distinct = (
        objects.where("action_class in ('clone', 'copy', 'read')")
        .groupBy("user_id", "asset_id")
        .agg(*exprs("count(*) as objects"))
        .withColumnRenamed("user_id", "reader")
    )
    joined = (
        tied.join(spots.withColumnsRenamed({"user_id": "reader", "user_kind": "reader_kind"}), "id")
        .join(distinct, ["reader", "asset_id"], "left")
        .withColumn("role", exprs("if(reader = submitter, coalesce(acting_as, ''), reader)")[0])
    )
    named = " ".join(f"when {place} then '{tie}'" for place, tie in enumerate(TIES))
    addresses = f"slice(sort_array(array_distinct(collect_list(source_ip))), 1, {MAX_LISTED})"
    return (
        joined.groupBy("submitter", "role", "asset_id", "tie")
        .agg(
            *exprs(
                "min(submitter_kind) as user_kind",
                "min(job) as job",
                "cast(min(candidates) as int) as candidates",
                "sum(events) as events",
                "least(sum(events), max(coalesce(objects, 0))) as objects",
                "sum(bytes) as bytes",
                "min(first_time) as first_time",
                "max(last_time) as last_time",
                f"{addresses} as addresses",
            )
        )
        .withColumnRenamed("submitter", "user_id")
        .withColumn("tie", exprs(f"case tie {named} end")[0])
        .selectExpr(*(f"date'{day}' as day" if c == "day" else c for c in JOB_ACCESS.column_names))
    )


def no_job_access_rows(spark: SparkSession) -> DataFrame:
    """The table of a day without a source that holds jobs."""
    return spark.createDataFrame([], JOB_ACCESS.ddl())


def account_rows(context: Context) -> list[tuple[str, str]]:
    """``user_id`` and ``space`` (namespace) of the directory's service accounts of Kubernetes."""
    found = set()
    for user, names in zip(context.directory["user_id"], context.directory["aliases"], strict=True):
        for name in names:
            _, mark, account = str(name).partition("system:serviceaccount:")
            if mark and ":" in account:
                found.add((str(user), account.partition(":")[0]))
    return sorted(found)


def _spots(ways: DataFrame) -> DataFrame:
    """Readings by hour, and by everything that may tie them to a job; ``id`` numbers them.

    ``known``: a person, whose own identity read under a role. A person who only the name of a
    session names is not known. People without a role answer for themselves.
    """
    taken = ways.where(TAKEN).selectExpr(
        "user_id",
        "user_kind",
        "session_name",
        "source_ip",
        "acting_as",
        "user_kind = 'human' and chosen_names = 0 as known",
        "asset_id",
        "hour",
        "events - failures as events",
        "bytes_out",
        "first_time",
        "last_time",
    )
    parts = ", ".join(f"coalesce(cast({name} as string), '')" for name in (*SPOT, "hour"))
    return (
        taken.where("not known or acting_as is not null")
        .groupBy(*SPOT, "hour")
        .agg(
            *exprs(
                "sum(events) as events",
                "sum(bytes_out) as bytes",
                "min(first_time) as first_time",
                "max(last_time) as last_time",
            )
        )
        .selectExpr("*", f"xxhash64({parts}) as id")
    )


def _running(jobs: DataFrame) -> DataFrame:
    """Jobs with the time in which their readings may lie, ``began`` to ``until``."""
    return jobs.selectExpr(
        "job",
        "name",
        "addresses",
        "user_id as submitter",
        "user_kind as submitter_kind",
        f"started - {SLACK} as began",
        f"coalesce(ended + {SLACK}, started + interval {JOB_DAYS} days) as until",
    )


def _tied(spots: DataFrame, jobs: DataFrame, accounts: DataFrame) -> DataFrame:
    """Submitters of each reading: ``id submitter submitter_kind tie job candidates``.

    ``tie`` is its place in TIES.
    """
    found = [
        _by_address(spots, jobs),
        _by_account(spots, jobs, accounts),
        _by_name(spots, jobs),
    ]
    each = reduce(lambda one, other: one.unionByName(other), found).where(
        "first_time <= until and last_time >= began and "
        "if(user_id = submitter, user_kind = 'human', not known)"
    )
    best = each.groupBy("id", "submitter").agg(
        *exprs(
            "min(submitter_kind) as submitter_kind",
            "min(concat(cast(if(known, 0, tie) as string), ' ', job)) as best",
        )
    )
    ranked = best.selectExpr(
        "id",
        "submitter",
        "submitter_kind",
        "cast(substring_index(best, ' ', 1) as int) as tie",
        "substring(best, 3) as job",
    ).selectExpr("*", "min(tie) over (partition by id) as least")
    return (
        ranked.where("tie = least")
        .selectExpr("*", "count(*) over (partition by id) as candidates")
        .drop("least")
    )


TIED: Sequence[str] = ("id", "known", "user_id", "user_kind", "first_time", "last_time",
                       "submitter", "submitter_kind", "job", "began", "until")  # fmt: skip


def _by_address(spots: DataFrame, jobs: DataFrame) -> DataFrame:
    placed = jobs.selectExpr("*", "explode(addresses) as source_ip").drop("addresses")
    return spots.join(placed, "source_ip").selectExpr(*TIED, "1 as tie")


def _by_account(spots: DataFrame, jobs: DataFrame, accounts: DataFrame) -> DataFrame:
    """Readings of service accounts, of the directory or not, and workloads of their namespaces."""
    spaces = jobs.selectExpr(
        "*", "nullif(regexp_extract(job, '^k8s://[^/]+/([^/]+)/', 1), '') as space"
    ).where("space is not null")
    users = spots.select("user_id").distinct()
    named = users.selectExpr(
        "user_id", f"nullif(regexp_extract(user_id, {ACCOUNT}, 1), '') as space"
    ).where("space is not null")
    known = accounts.select("user_id", "space").unionByName(named).distinct()
    return spots.join(known, "user_id").join(spaces, "space").selectExpr(*TIED, "2 as tie")


def _by_name(spots: DataFrame, jobs: DataFrame) -> DataFrame:
    """Sessions in whose names whole words are the number or the name of a job."""
    last = "substring_index(job, '/', -1)"
    kept = [name for name in jobs.columns if name not in ("name", "addresses")]
    handles = (
        jobs.selectExpr(*kept, f"explode(array({last}, coalesce(name, ''))) as handle")
        .selectExpr(*kept, "regexp_replace(handle, '[^A-Za-z0-9]+', '-') as handle")
        .where(IS_HANDLE)
        .distinct()
    )
    names = spots.where("session_name is not null").select("session_name").distinct()
    plain = "regexp_replace(session_name, '[^A-Za-z0-9]+', '-')"
    words = names.selectExpr(
        "session_name", f"slice(split({plain}, '-'), 1, {MOST_WORDS}) as words"
    )
    phrases = (
        words.selectExpr("*", "explode(sequence(1, size(words))) as low")
        .selectExpr("*", "explode(sequence(low, size(words))) as high")
        .selectExpr("session_name", "array_join(slice(words, low, high - low + 1), '-') as handle")
        .distinct()
    )
    return spots.join(phrases, "session_name").join(handles, "handle").selectExpr(*TIED, "3 as tie")
