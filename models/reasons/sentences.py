"""Every sentence by name. ``{count:amount}`` is a part and its type; ``[…]`` may be left out.

A bracket is left out where one of its parts is not given or says nothing.
"""

from __future__ import annotations

SENTENCES = {
    # burst_peers, burst_self
    "takes_more_than_colleagues": "took {amount:amount} {span:word}; colleagues take {usual:amount}"
    "[ ({times:times})]",
    "takes_more_than_usual": "took {amount:amount} {span:word}; its usual is {usual:amount}"
    "[ ({times:times})]",
    # cluster_egress
    "entered_no_pod": "entered no pod",
    "entered_pods": "entered pods by exec, copy or tunnel {sessions:amount} in {assets:assets}, "
    "which it did there on {days:count} earlier days",
    # collusion
    "parts_complete": "{people:count} people read nearly disjoint parts of {asset:assets} that "
    "together make {share:share} of it within {days:count} days ({objects:count} objects; with "
    "{others:identities})",
    "nobody_completes": "nobody completes the parts of {asset:assets} that were read",
    # first_access
    "touched_nothing_new": "touched nothing new",
    "touched_new": "touched {count:amount} for the first time ({assets:assets}: likelihood of "
    "{odds:likelihood} a day by the graph of who touches what)",
    # foreign_copy
    "gave_nothing_away": "copied or shared nothing, or to known destinations only",
    "gave_away": "copied or shared {objects:amount} to {places:destinations}, a destination that "
    "is not known as ours",
    # leaver
    "leaver_takes_nothing": "not leaving, or takes nothing whole",
    "leaver_takes": "{notice:reason} and {taken:reason}",
    "leaver_read": "read {share:share} of {asset:assets} in {days:count} days ({objects:count} of "
    "{total:count} objects)",
    "leaver_cloned": "cloned {count:amount} in {days:count} days, {new:count} never touched before "
    "({assets:assets})",
    # mass_clone
    "clones": "cloned or fetched {count:amount} in {days:days}, {new:count} never touched before"
    "[, {archived:count} as an archive] ({assets:assets})",
    # odd_day
    "odd_day": "an unusual day in the whole: {features:series}",
    "slightly_odd_day": "an unusual day in the whole: many small differences",
    "more_of_feature": "more {feature:word}",
    "less_of_feature": "less {feature:word}",
    # recon
    "looked_at": "listed or looked at {assets:amount}; its usual is {usual:count}",
    "refused_nothing": "was refused nothing",
    "refused_more": "was refused {times:count} times on {places:amount}, more than usual",
    "refused_as_usual": "was refused {times:count} times on {places:amount}, no more than usual",
    # service_misuse
    "service_as_usual": "a service within its usual networks, programs, actions, hours and assets",
    "service_anew": "a service that did {count:amount} it never did in {days:count} days: new "
    "{values:series}",
    "new_networks": "network {values:networks}",
    "new_programs": "program {values:programs}",
    "new_actions": "action {values:actions}",
    "new_hours": "hour {values:clock}",
    "new_assets": "asset {values:assets}",
    # shard_coverage
    "read_share": "read {share:share} of {asset:assets} in {days:days} ({objects:count} of "
    "{total:count} objects[, {size:amount}]), {fresh:share} of it never read before",
    # slow_drip
    "read_in_portions": "read {asset:assets} in portions on {portions:count} days within "
    "{days:count}: {objects:count} of {total:count} objects, {repeats:count} reads repeated an "
    "earlier day's",
    # what else matters about a person
    "gave_notice": "gave notice on {day:day}",
    "leaves": "leaves on {day:day}",
    "active_after_leaving": "active after leaving on {day:day}",
    "began_lately": "began only lately",
    # scores and findings
    "discounted": "{said:reason}[ (approved by {tickets:tickets})]"
    "[ (in the queue since {since:day})][ (suppressed until {until:day}: {why:text})]",
    "measured": "observed {observed:amount}[, expected {expected:amount}]",
    "counted": "observed {observed:count}[, expected {expected:count}]",
    "bytes_of_one": "about {bytes:amount}, estimated from the asset's size",
    "bytes_of_several": "about {bytes:amount}, estimated from the assets' sizes",
    "finding": "[{kind:word} ]{who:person}[ ({team:team})] {told:series}[; {estimated:reason}]"
    "[; {notes:series}]",
}
