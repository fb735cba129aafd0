"""Every sentence by name. ``{count:amount}`` is a part and its type; ``[…]`` is optional.

A bracket is left out if one of its parts is missing or renders as empty text.
"""

from __future__ import annotations

SENTENCES = {
    # api_distillation
    "tied_to_no_ring": "shares nothing unusual with other API keys",
    "in_a_ring": "is one of a ring of {keys:count} API keys, led by {leader:identities}",
    "leads_a_ring": "is one of {people:amount} with {keys:count} API keys that share {tie:word}; "
    "together they took {tokens:amount} of {assets:assets} in 7 days[ (with {others:identities})]",
    # api_extraction, probing
    "queried_no_model": "queried no model",
    "asked_for_distributions": "asked {assets:assets} for log-probabilities {logprobs:count} "
    "times, with weighted tokens {biased:count} times and for one to three tokens {tokens:count} "
    "times[, with nearly an earlier prompt {alike:count} times], in {requests:amount}",
    "probed": "was stopped or marked by guardrails {refused:count} times and failed otherwise "
    "{failed:count} times on {models:count} models, compared with {usual:count} usually",
    # burst_peers, burst_self
    "takes_more_than_colleagues": "took {amount:amount} {span:word}, compared with {usual:amount} "
    "by colleagues[ ({times:times})]",
    "takes_more_than_usual": "took {amount:amount} {span:word}, compared with {usual:amount} "
    "usually[ ({times:times})]",
    # canary
    "touched_no_decoy": "touched no decoy",
    "touched_decoys": "touched decoys {touches:amount} ({assets:assets})",
    # cluster_egress
    "entered_no_pod": "entered no pod",
    "entered_pods": "entered pods {sessions:amount} by exec, copy or tunnel in {assets:assets} "
    "(entries on {days:count} earlier days)",
    # collusion
    "parts_complete": "is one of {people:count} people who read nearly disjoint parts of "
    "{asset:assets}, together {share:share} in {days:count} days ({objects:count} objects; with "
    "{others:identities})",
    "nobody_completes": "read a part of {asset:assets}, not complemented by other readers",
    # cross_team
    "stayed_near": "took nothing far from the work of the team",
    "went_far": "took {objects:amount} of {assets:assets} in 30 days, which only {users:count} of "
    "{circle:count} colleagues used before; {share:share} of the colleagues' work is with its "
    "owners",
    # dormant
    "was_at_work": "was at work in the weeks before",
    "woke": "took {objects:amount} ({assets:assets}) after {days:count} days without work",
    "woke_unseen": "took {objects:amount} ({assets:assets}) and was not at work in the "
    "{days:count} days of the log before",
    "credential_woke": "took {objects:amount} ({assets:assets}) with a credential that was unused "
    "for {days:count} days",
    # egress_budget
    "sent_nothing_like_an_artefact": "sent little outside, or read no artefact in the week",
    "sent_beside_artefact": "sent {bytes:amount} outside our networks after reading {share:share} "
    "of {asset:assets} ({size:amount}) in seven days",
    # first_access
    "touched_nothing_new": "touched no new asset",
    "touched_new": "touched {count:amount} for the first time ({assets:assets}; probability of "
    "the first asset by the access graph: {odds:likelihood} a day)",
    # foreign_copy
    "gave_nothing_away": "gave nothing to foreign places",
    "gave_away": "gave {objects:amount} to a place that is not known as ours"
    "[ ({places:destinations})]",
    "used_no_grant": "used no grant to a foreign place, and nobody used one that it opened",
    "took_with_others": "took part of the content that {leader:identities} took by the same grant",
    "used_grant": "took {objects:amount} of {assets:assets}, which {openers:identities} opened to "
    "{places:destinations} {days:count} days before[ (with {others:identities})]",
    "prepared_grant": "opened {assets:assets} to {places:destinations} {days:count} days before; "
    "{users:identities} took {objects:amount} of it",
    # job_cover
    "no_job_read": "submitted no job whose role read an artefact",
    "job_read": "submitted {job:assets}; {role:identities} read {objects:amount} of "
    "{assets:assets}, which is tied to the job {tie:word} (read before: by {mates:count} "
    "colleagues, by the role for {submitters:count} other submitters)[; {candidates:count} other "
    "submitters are tied to it as well]",
    # leaver
    "leaver_takes_nothing": "took no artefact or repository as a leaver",
    "leaver_takes": "{notice:reason} and {taken:reason}",
    "leaver_replayed": "{notice:reason}; on {day:day} {taken:reason}",
    "leaver_read": "read {share:share} of {asset:assets} in {days:count} days ({objects:count} of "
    "{total:count} objects)",
    "leaver_cloned": "cloned {count:amount} in {days:count} days, {new:count} never touched before "
    "({assets:assets})",
    # mass_clone
    "clones": "cloned or fetched {count:amount} in {days:days}, {new:count} never touched before"
    "[, {archived:count} as an archive] ({assets:assets})",
    # new_place
    "took_from_known_places": "took content from known places only",
    "took_from_new_place": "took {objects:amount} ({assets:assets}) from {places:networks} "
    "(there on {days:count} earlier days; others there before: {others:count}, of the team "
    "{mates:count})[, {kilometres:count} km from another place in {hours:count} h]",
    # odd_day
    "odd_day": "had an unusual day: {features:series}",
    "slightly_odd_day": "had an unusual day with many small differences",
    "more_of_feature": "more {feature:word}",
    "less_of_feature": "fewer {feature:word}",
    # poisoning_guard
    "grows": "took {now:amount} a day this week, compared with {before:amount} weeks before",
    # recon
    "looked_at": "listed or looked up {assets:amount}, compared with {usual:count} usually",
    "refused_nothing": "had no refused attempts",
    "refused_more": "was refused {times:count} times on {places:amount}, more than usual",
    "refused_as_usual": "was refused {times:count} times on {places:amount}, no more than usual",
    # residency
    "kept_to_countries": "reached assets from countries that they allow",
    "left_countries": "took {objects:amount} of {assets:assets} from {places:networks}, outside "
    "the countries that the assets allow",
    # service_misuse
    "service_as_usual": "kept to its usual networks, programs, actions, hours and assets",
    "service_anew": "showed {count:amount} not seen in {days:count} earlier days: {values:series}",
    "new_networks": "network {values:networks}",
    "new_programs": "program {values:programs}",
    "new_actions": "action {values:actions}",
    "new_hours": "hour {values:clock}",
    "new_assets": "asset {values:assets}",
    # shard_coverage
    "read_share": "read {share:share} of {asset:assets} in {days:days} ({objects:count} of "
    "{total:count} objects[, {size:amount}]), {fresh:share} for the first time",
    # slow_drip
    "read_in_portions": "read {asset:assets} in portions on {portions:count} of {days:count} days "
    "({objects:count} of {total:count} objects, {repeats:count} repeated reads)",
    # staging
    "staged_nothing": "brought nothing sensitive to another place in steps",
    "staged": "collected {objects:amount} of {assets:assets} and wrote as much to "
    "{place:destinations}[, {later:series}] (earlier weeks with the same steps: {weeks:count})",
    "packed_it": "packed in fewer objects",
    "sent_it": "sent on from there",
    "cleaned_up": "deleted there afterwards",
    # supply_chain
    "no_build_reads_anew": "read nothing new as a build identity whose pipeline was changed",
    "build_reads_anew": "{changer:identities} changed {act:word} in {where:assets} {days:count} "
    "days ago, and {builder:identities} read {objects:amount} of {assets:assets}, which it never "
    "read before the change",
    # telemetry_gap
    "changed_no_log": "changed no logging",
    "changed_logs": "ended or narrowed {changes:count} logs ({logs:assets})[ after taking "
    "{objects:amount} of sensitive assets in seven days][; {gap:reason}]",
    "read_near_gap": "took {objects:amount} of sensitive assets ({assets:assets}) in a gap of a "
    "log or right before it; {gap:reason}",
    "log_is_silent": "the log {source:assets} had {observed:count} records[ of {scope:assets}] "
    "from {first:clock} to {last:clock}, where {expected:count} are expected; {evidence:word}",
    "log_is_late": "the log {source:assets} has nothing from {hours:clock} on, perhaps because it "
    "comes late",
    # unapproved
    "took_nothing_unapproved": "took nothing sensitive without an approval",
    "took_unapproved": "took {objects:amount} that no approval covers ({assets:assets})[; "
    "{tickets:tickets} allows other assets or times][; {void:tickets} does not count because of "
    "who gave it]",
    # notes about a person
    "gave_notice": "gave notice on {day:day}",
    "leaves": "leaves on {day:day}",
    "active_after_leaving": "was active after leaving on {day:day}",
    "began_lately": "began recently",
    "told_before": "counts for less where it repeats what has been in the queue since {since:day}",
    "did_likewise": "so did {others:identities}, who share an address, an asset or the service "
    "that opened the session",
    "chosen_name": "only the name of a session says so, which whoever may assume "
    "{roles:identities} can choose[; {others:identities} acted by the same today]",
    "typed_name": "only a name says so, which whoever acted could choose",
    # notes about places
    "holds_copy": "{place:assets} holds content that was copied from {origin:assets}",
    "may_hold_copy": "{place:assets} may hold a copy of {origin:assets}, by its size",
    # scores and findings
    "discounted": "{said:reason}[ ({mates:count} of the team did likewise today)]"
    "[ (approved by {tickets:tickets})]"
    "[ (in the queue since {since:day})][ (suppressed until {until:day}: {why:text})]",
    "measured": "observed {observed:amount}[, expected {expected:amount}]",
    "counted": "observed {observed:count}[, expected {expected:count}]",
    "bytes_of_one": "about {bytes:amount}, estimated from the asset's size",
    "bytes_of_several": "about {bytes:amount}, estimated from the assets' sizes",
    "finding": "[{kind:word} ]{who:person}[ ({team:team})] {told:series}[; {estimated:reason}]"
    "[; {notes:series}]",
}
