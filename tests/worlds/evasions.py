"""Thieves who have read the detectors: each commits the theft and does what should excuse it."""

from __future__ import annotations

from tests.worlds import api_queries, grants, stagings
from tests.worlds.build_plants import (
    account_of_a_namespace,
    new_runner_reads_in_parts,
    stays_away_after_a_cheap_look,
)
from tests.worlds.gap_plants import (
    keeps_a_heartbeat,
    takes_before_all_logs_of_the_bucket_end,
)
from tests.worlds.histories import HOME, World, approval
from tests.worlds.job_plants import jobs_in_small_parts_under_false_names
from tests.worlds.lineage_plants import (
    drips_from_the_copy,
    has_the_copy_copied,
    leaves_with_the_copy,
    opens_the_copy,
    pipeline_reads_the_copy,
    reads_after_copies_in_small_parts,
    reads_one_file_from_abroad,
    reads_the_copy_abroad,
    reads_the_copy_and_sends_a_pack,
    reads_the_copy_in_three_days,
    reads_the_export_of_a_colleague,
    reads_the_quantised_variant,
    silences_the_log_of_the_copy,
    takes_the_copy_home,
    wakes_and_reads_one_file,
)
from tests.worlds.place_plants import (
    ABROAD,
    allow,
    sends_a_compressed_checkpoint,
    session_from_abroad,
    wakes_and_reads,
)
from tests.worlds.plants import (
    DAY,
    DECOY,
    Plant,
    back,
    clone_thirty,
    everything_at_once,
    reads_a_share,
    with_a_decoy,
)
from tests.worlds.team_plants import comes_every_third_day, hides_behind_harmless_reading


def half_before_and_half_after_midnight(world: World) -> str:
    """Two checkpoints in one night, as two halves of two days."""
    for asset in ("ckpt-pretraining-1", "ckpt-pretraining-3"):
        shards = world.shards(asset)
        world.read(back(1), "u010", asset, shards[::2], 23)
        world.read(DAY, "u010", asset, shards[1::2], 0)
    return "u010"


def reads_like_those_who_read_much(world: World) -> str:
    """Nine of other teams read half a dataset a day, and the thief a file of the same and no more.

    So they are the thief's learned peers on the night in which the thief reads as much as they do.
    """
    world.directory.append({**world.person("u018"), "user_id": "thief", "email": "thief@lab.org"})
    shards = world.shards("data-3")
    for ago in range(45, -1, -1):
        for number in (2, 4, 8, 10, 14, 16, 20, 22, 26):
            world.read(back(ago), f"u{number:03d}", "data-3", shards[ago % 2 :: 2], 11)
        world.read(back(ago), "thief", "data-3", shards[ago : ago + 1], 11)
    world.read(DAY, "thief", "ckpt-pretraining-1", world.shards("ckpt-pretraining-1"), 23)
    return "thief"


def attaches_instead_of_exec(world: World) -> str:
    """Enters by attach and by a debug container, after refused attempts last week."""
    for number in range(4):
        action = ("pods/attach", "pods/ephemeralcontainers")[number % 2]
        world.act(back(7), "u018", "ns-inference", "execute", object=f"pod-{number}",
                  action="pods/exec", failed=True, agent="kubectl")  # fmt: skip
        world.act(DAY, "u018", "ns-inference", "execute", object=f"pod-{number}", action=action,
                  agent="kubectl", hour=10)  # fmt: skip
    return "u018"


def parts_that_overlap_a_little(world: World) -> str:
    """Three thirds; each also reads a tenth of a colleague's part."""
    shards = world.shards("ckpt-posttraining-1")
    for place, user in enumerate(("u015", "u020", "u028")):
        part = shards[place::3]
        world.read(DAY, user, "ckpt-posttraining-1", part, 11)
        world.read(
            DAY, user, "ckpt-posttraining-1", shards[(place + 1) % 3 :: 3][: len(part) // 10]
        )
    return "u020"


def shares_with_the_own_service(world: World) -> str:
    """The thief reads half, and the thief's service, which has the same address, the other half."""
    shards = world.shards("ckpt-posttraining-1")
    own = {**world.person("svc-load"), "user_id": "svc-own", "email": "U020@example.com"}
    world.directory.append(own)
    world.read(back(1), "svc-own", "ckpt-posttraining-1", shards[::2], 11, kind="service")
    world.read(DAY, "u020", "ckpt-posttraining-1", shards[1::2], 11)
    return "u020"


def many_accounts_take_a_shard_each(world: World) -> str:
    """Thirty-two accounts that nobody knows read three shards each, from one address."""
    shards = world.shards("ckpt-posttraining-1")
    for number in range(32):
        part = shards[3 * number : 3 * number + 3]
        world.read(DAY, f"account-{number:02}", "ckpt-posttraining-1", part, 11, kind="unknown")
    return "account-07"


def accounts_of_a_namespace_take_a_part_each(world: World) -> str:
    """Sixteen service accounts that nobody knows, each on a day of its own."""
    shards = world.shards("ckpt-posttraining-1")
    for number in range(16):
        world.read(back(number), f"system:serviceaccount:mining:worker-{number:02}",
                   "ckpt-posttraining-1", shards[6 * number : 6 * number + 6], 11,
                   network=f"external/RO/{64800 + number}", kind="service")  # fmt: skip
    return "system:serviceaccount:mining:worker-00"


def lists_before_reading(world: World) -> str:
    """Looks at the checkpoint on two earlier days; the third visit reads it."""
    for days in (20, 12):
        world.act(back(days), "u016", "ckpt-pretraining-2", "list", action="ListObjects")
        world.act(back(days), "u016", "ckpt-pretraining-2", "inspect", action="HeadObject")
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 2)
    return "u016"


def machine_users_clone_two_each(world: World) -> str:
    """Fifteen accounts that nobody knows, at one address."""
    for i in range(30):
        world.act(DAY, f"machine-{i // 2:02}", f"repo-{i}", "clone", hour=22, object=f"repo-{i}",
                  action="git.clone", agent="git", kind="unknown")  # fmt: skip
    return "machine-00"


def reads_a_shard_of_each_before(world: World) -> str:
    """One shard of every checkpoint of the run two weeks ago; the bulk of one today."""
    for step, ago in ((1, 18), (2, 15), (3, 13)):
        world.read(back(ago), "u016", f"ckpt-pretraining-{step}", ["shard-0000"], 10)
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 2)
    return "u016"


def comes_back_long_after_the_end(world: World) -> str:
    world.person("u010")["end_date"] = back(90)
    for step in (1, 2, 3):
        asset = f"ckpt-pretraining-{step}"
        world.read(DAY, "u010", asset, world.shards(asset), 13)
    return "u010"


def opens_repositories_before_cloning(world: World) -> str:
    """Every repository is opened in the browser three weeks before the night of clones."""
    for i in range(30):
        world.act(back(21), "u010", f"repo-{i}", "inspect", object=f"repo-{i}", action="repo.view")
    return clone_thirty(world, "u010", network=HOME, credential="key-u010")


def fetches_a_little_before_cloning(world: World) -> str:
    """Each repository is fetched once, two on a day, in the weeks before the night of clones."""
    for i in range(30):
        world.act(back(8 + i // 2), "u010", f"repo-{i}", "read", object=f"repo-{i}",
                  action="git.fetch", agent="git", credential="key-u010")  # fmt: skip
    return clone_thirty(world, "u010", network=HOME, credential="key-u010")


def clones_as_a_new_machine_user(world: World) -> str:
    """Nobody knows the account; a row in the directory would say when it began."""
    return clone_thirty(world, "machine-7", credential="deploy-key", kind="unknown")


def rehearses_the_odd_day(world: World) -> str:
    """Much the same day was there last week."""
    shards = world.shards("ckpt-inference-1")
    world.read(back(8), "u034", "ckpt-inference-1", shards, 1, network="external/XX/1")
    return everything_at_once(world)


def looks_without_refusals(world: World) -> str:
    """Lists only what may be listed, in working hours."""
    for number, asset in enumerate(world.assets):
        world.act(DAY, "u023", asset, "list", action="ListObjects", hour=9 + number % 8)
    return "u023"


def service_key_with_the_usual_agent(world: World) -> str:
    """The user agent is a header, which the caller writes."""
    world.read(DAY, "svc-serve", "ckpt-inference-1", world.shards("ckpt-inference-1")[:9], 5,
               network="external/RO/64800", agent="boto3", kind="service")  # fmt: skip
    return "svc-serve"


def becomes_a_reader_of_whole_artefacts(world: World) -> str:
    """Reads a harmless dataset whole two weeks before, as if that were a habit."""
    world.read(back(14), "u016", "data-1", world.shards("data-1"), 10)
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2"), 14)
    return "u016"


def drips_unevenly_with_pauses(world: World) -> str:
    """Other amounts at other hours, nothing on weekends and on every fourth day."""
    shards, taken = world.shards("ckpt-pretraining-3"), 0
    for ago in range(27, -1, -1):
        if back(ago).weekday() >= 5 or ago % 4 == 3:
            continue
        count = 4 + ago * 7 % 6
        part = shards[taken : taken + count]
        world.read(back(ago), "u022", "ckpt-pretraining-3", part, 9 + ago * 5 % 9)
        taken += count
    return "u022"


def foreign_bucket_after_a_refused_listing(world: World) -> str:
    """The thief lists the own bucket, is refused, copies a bit last week and all today."""
    shards = world.shards("ckpt-evals-1")
    elsewhere = "s3://elsewhere#999988887777"
    for days in (9, 1):
        world.act(back(days), "u009", "s3://elsewhere", "list", action="ListObjects", failed=True)
    world.act(back(7), "u009", "ckpt-evals-1", "copy", object=shards[0], action="CopyObject",
              destination=elsewhere, failed=True)  # fmt: skip
    for name in shards:
        world.act(DAY, "u009", "ckpt-evals-1", "copy", object=name, action="CopyObject",
                  destination=elsewhere)  # fmt: skip
    return "u009"


def looks_at_the_decoy_and_is_refused(world: World) -> str:
    """One look, which fails, by a service that looks at everything."""
    with_a_decoy(world)
    world.act(DAY, "svc-eval", DECOY, "inspect", action="HeadObject", failed=True, kind="service")
    return "svc-eval"


def grows_with_pauses_and_back_steps(world: World) -> str:
    """Takes two steps up and one down, rests on Wednesdays, and keeps the last level for days."""
    for ago in range(20):
        if back(ago).weekday() != 2:
            level = 1 / 1.3 ** max(0, ago - 3) / (1.5 if ago % 3 == 2 else 1)
            reads_a_share(world, back(ago), "u013", level)
    return "u013"


def narrows_the_log_of_one_bucket(world: World) -> str:
    """Leaves the trail on and switches off the access log of the bucket; another took it all."""
    world.act(DAY, "u014", "s3://ckpt", "admin", object="s3://ckpt", action="PutBucketLogging")
    return "u014"


def writes_a_ticket_for_oneself(world: World) -> str:
    """The ticket names the checkpoint and the day; its approver is the thief under the address."""
    world.approvals.append(
        approval("u016", "s3://ckpt/pretraining/run/step-2/*", back(1), DAY,
                 approver="U016@example.com")
    )  # fmt: skip
    world.read(DAY, "u016", "ckpt-pretraining-2", world.shards("ckpt-pretraining-2")[:45], 14)
    return "u016"


def works_from_abroad_two_weeks_before(world: World) -> str:
    """Reads something harmless from the place on three days of a week, and fails there later."""
    for days in (15, 16, 17):
        world.read(back(days), "u006", "data-1", world.shards("data-1")[:5], 10, network=ABROAD)
    for days in (3, 9):
        world.read(back(days), "u006", "data-1", ["x"], 10, network=ABROAD, failed=True)
    return session_from_abroad(world)


def looks_before_it_wakes(world: World) -> str:
    """Lists the checkpoint the week before, and reads one shard on the day before."""
    case = wakes_and_reads(world)
    world.act(back(6), case, "ckpt-pretraining-1", "list", action="ListObjects")
    world.read(back(1), case, "ckpt-pretraining-1", ["shard-0000"])
    return case


def rents_a_server_in_the_country(world: World) -> str:
    """Reads from a cloud, a few shards, after refused attempts from there."""
    allow(world, "ckpt-pretraining-1", "US", "CA")
    shards = world.shards("ckpt-pretraining-1")
    for days in (3, 9):
        world.read(back(days), "u006", "ckpt-pretraining-1", shards[:3], network="cloud/RO/64900",
                   failed=True)  # fmt: skip
    world.read(DAY, "u006", "ckpt-pretraining-1", shards[:6], network="cloud/RO/64900")
    return "u006"


EVASIONS: dict[str, tuple[Plant, ...]] = {
    "api_distillation": (
        api_queries.keys_of_one_network,
        api_queries.keys_of_one_device,
        api_queries.keys_of_one_account,
        api_queries.keys_of_one_program,
        api_queries.keys_born_together,
        api_queries.keys_of_one_template,
        api_queries.keys_in_the_same_minutes,
    ),
    "api_extraction": (
        api_queries.extracts_by_rising_habit,
        api_queries.extracts_by_weighted_tokens,
        api_queries.extracts_by_one_template,
    ),
    "burst_peers": (half_before_and_half_after_midnight, reads_like_those_who_read_much),
    "burst_self": (half_before_and_half_after_midnight,),
    "canary": (looks_at_the_decoy_and_is_refused,),
    "cluster_egress": (attaches_instead_of_exec,),
    "collusion": (
        parts_that_overlap_a_little,
        shares_with_the_own_service,
        many_accounts_take_a_shard_each,
        accounts_of_a_namespace_take_a_part_each,
    ),
    "cross_team": (comes_every_third_day, hides_behind_harmless_reading),
    "dormant": (looks_before_it_wakes, wakes_and_reads_one_file),
    "egress_budget": (
        sends_a_compressed_checkpoint,
        takes_the_copy_home,
        reads_the_copy_and_sends_a_pack,
    ),
    "first_access": (
        lists_before_reading,
        reads_a_shard_of_each_before,
        reads_the_export_of_a_colleague,
        reads_the_quantised_variant,
        reads_after_copies_in_small_parts,
        has_the_copy_copied,
    ),
    "foreign_copy": (
        opens_the_copy,
        foreign_bucket_after_a_refused_listing,
        grants.opens_for_a_minute_a_month_before,
        grants.opens_an_access_point,
        grants.twenty_strangers_take_a_shard_each,
        grants.link_after_a_visit_by_link,
    ),
    "job_cover": (jobs_in_small_parts_under_false_names,),
    "leaver": (comes_back_long_after_the_end, leaves_with_the_copy),
    "mass_clone": (
        opens_repositories_before_cloning,
        fetches_a_little_before_cloning,
        clones_as_a_new_machine_user,
        machine_users_clone_two_each,
    ),
    "new_place": (works_from_abroad_two_weeks_before, reads_one_file_from_abroad),
    "odd_day": (rehearses_the_odd_day,),
    "poisoning_guard": (grows_with_pauses_and_back_steps,),
    "probing": (api_queries.probes_a_little_each_day,),
    "recon": (looks_without_refusals,),
    "residency": (rents_a_server_in_the_country, reads_the_copy_abroad),
    "service_misuse": (service_key_with_the_usual_agent,),
    "shard_coverage": (
        becomes_a_reader_of_whole_artefacts,
        reads_the_copy_in_three_days,
        reads_the_export_of_a_colleague,
    ),
    "slow_drip": (drips_unevenly_with_pauses,),
    "staging": (
        stagings.rehearses_with_harmless_content,
        stagings.copies_on_and_cleans_up,
    ),
    "supply_chain": (
        stays_away_after_a_cheap_look,
        new_runner_reads_in_parts,
        account_of_a_namespace,
        pipeline_reads_the_copy,
    ),
    "telemetry_gap": (
        narrows_the_log_of_one_bucket,
        keeps_a_heartbeat,
        takes_before_all_logs_of_the_bucket_end,
        silences_the_log_of_the_copy,
    ),
    "unapproved": (
        writes_a_ticket_for_oneself,
        takes_the_copy_home,
        has_the_copy_copied,
        drips_from_the_copy,
    ),
}
