"""The dashboards: Triage queue, User, Asset, Graph, Detector and pipeline health."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.kibana import panels, vega
from schemas.kibana.data_views import (
    ASSET_DAYS_VIEW,
    ENTITIES_VIEW,
    ENTITY_DAYS_VIEW,
    GRAPH_VIEW,
    HEALTH_VIEW,
    QUEUE_VIEW,
    DataView,
)
from schemas.kibana.lens import (
    STATUS_COLOURS,
    Layer,
    beside,
    by_day,
    count,
    distinct,
    figure,
    greatest,
    least,
    table,
    timeline,
    top,
    total,
)
from schemas.kibana.panels import Panel
from schemas.kibana.sessions import (
    FAILED_SESSION,
    FINDINGS_SESSION,
    FIRST_TOUCHES_SESSION,
    HISTORY_SESSION,
    PEOPLE_SESSION,
    QUEUE_SESSION,
)
from schemas.kibana.site import Runbook, Site

COLUMNS = 48
TITLES = {
    "triage": "Triage queue",
    "user": "User",
    "asset": "Asset",
    "graph": "Graph",
    "health": "Detector and pipeline health",
}
"""The dashboards by name, in the order of the links between them."""
VERDICT_HELP = """\
A verdict is given in the shell, with the finding's `event.id`:

    exfilwatch verdict EVENT_ID --as confirmed --by YOU --reason "..."

`--as` takes `confirmed`, `benign` or `duplicate`. The row leaves this queue, the finding as
published stays as it is. Where the detection rule is installed, closing the alert in Elastic
Security does the same.
"""


@dataclass(frozen=True)
class Control:
    """A list of a field's values to choose from; ``chosen``: what is chosen to begin with."""

    name: str
    title: str
    view: DataView
    field: str
    chosen: tuple[str, ...] = ()
    single: bool = False


def dashboards(site: Site, runbooks: Mapping[str, Runbook]) -> list[dict[str, Any]]:
    """All five, as saved objects."""
    return [
        _triage(site),
        _user(site, runbooks),
        _asset(site),
        _graph(site),
        _health(site),
    ]


def runbook_text(runbooks: Mapping[str, Runbook]) -> str:
    """The next steps of every detector, as Markdown."""
    parts = []
    for name, runbook in runbooks.items():
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(runbook.steps, start=1))
        parts.append(f"**{runbook.title}** (`{name}`)\n\n{steps}\n")
    return "\n".join(parts)


def _triage(site: Site) -> dict[str, Any]:
    in_budget = "exfil.in_budget: true"
    figures = [
        _figure(site, "waiting", "Findings", QUEUE_VIEW, count("in the day's budget", in_budget)),
        _figure(
            site,
            "severe",
            "High and critical",
            QUEUE_VIEW,
            count("severity 3 and 4", f"{in_budget} and event.severity >= 3"),
            STATUS_COLOURS["high"],
        ),
        _figure(
            site,
            "identities",
            "Identities",
            QUEUE_VIEW,
            distinct("user.id", "different", in_budget),
        ),
        _figure(
            site,
            "again",
            "To review again",
            QUEUE_VIEW,
            count("their evidence changed", "exfil.supersedes: *"),
        ),
    ]
    gains = table(
        Layer(
            ENTITIES_VIEW,
            {
                "user": top("user.id", "Identity", by="gain", size=20),
                "name": beside("user.name", "Name"),
                "team": beside("exfil.team", "Team"),
                "gain": greatest("exfil.gain", "Gain in 7 days"),
                "score": greatest("user.risk.calculated_score_norm", "Risk"),
                "peak": greatest("exfil.peak", "Peak in 30 days"),
                "open": greatest("exfil.open_findings", "Open findings"),
            },
            follows_dashboard=False,
        ),
        sort="gain",
        risks=("score", "peak"),
    )
    by_detector = table(
        Layer(
            QUEUE_VIEW,
            {
                "detector": top("exfil.detectors", "Detector", by="findings", size=20),
                "findings": count("Findings"),
                "worst": greatest("event.risk_score", "Highest score"),
                "identities": distinct("user.id", "Identities"),
            },
        ),
        sort="findings",
        risks=("worst",),
        query=in_budget,
    )
    days = timeline(
        Layer(
            QUEUE_VIEW,
            {
                "day": by_day(),
                "status": top("exfil.status", "Status", by="findings", size=5),
                "findings": count("Findings"),
            },
        ),
        query=in_budget,
    )
    assets = table(
        Layer(
            QUEUE_VIEW,
            {
                "asset": top("exfil.asset_ids", "Asset", by="findings", size=20),
                "findings": count("Findings"),
                "identities": distinct("user.id", "Identities"),
                "worst": greatest("event.risk_score", "Highest score"),
            },
        ),
        sort="worst",
        risks=("worst",),
        query=in_budget,
    )
    rows = [
        figures,
        [panels.session(site, "queue", (48, 20), QUEUE_SESSION)],
        [
            panels.chart(
                site,
                "gains",
                "Identities by gain",
                (28, 15),
                gains,
                "Risk of today less that of seven days ago. Not narrowed by the controls above.",
            ),
            panels.chart(
                site, "detectors", "By detector", (20, 15), by_detector, "What speaks against whom."
            ),
        ],
        [
            panels.chart(site, "days", "By day and status", (20, 12), days, "Set Status to any."),
            panels.chart(
                site, "assets", "Assets concerned", (16, 12), assets, "Of these findings."
            ),
            panels.markdown("verdict", "To give a verdict", (12, 12), VERDICT_HELP),
        ],
    ]
    controls = [
        Control("status", "Status", QUEUE_VIEW, "exfil.status", ("open",)),
        Control("detector", "Detector", QUEUE_VIEW, "exfil.detectors"),
        Control("severity", "Severity (4 is critical)", QUEUE_VIEW, "event.severity"),
        Control("window", "Window", QUEUE_VIEW, "exfil.window"),
    ]
    description = "What to look at next: open findings by score, people by gain of risk."
    return _dashboard(site, "triage", description, rows, controls)


def _user(site: Site, runbooks: Mapping[str, Runbook]) -> dict[str, Any]:
    risk = timeline(
        Layer(ENTITY_DAYS_VIEW, {"day": by_day(), "findings": total("exfil.findings", "Findings")}),
        Layer(
            ENTITY_DAYS_VIEW,
            {"day": by_day(), "risk": greatest("user.risk.calculated_score_norm", "Risk")},
        ),
        {"findings": STATUS_COLOURS["bars"], "risk": STATUS_COLOURS["high"]},
    )
    new = timeline(
        Layer(
            ENTITY_DAYS_VIEW,
            {
                "day": by_day(),
                "assets": greatest("exfil.assets", "Assets touched"),
            },
        ),
        Layer(
            ENTITY_DAYS_VIEW,
            {"day": by_day(), "new": greatest("exfil.new_assets", "of these new")},
        ),
        {"assets": STATUS_COLOURS["bars"], "new": STATUS_COLOURS["high"]},
    )
    touched = table(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "asset": top("exfil.asset.id", "Asset", by="bytes", size=50),
                "sensitivity": greatest("exfil.asset.sensitivity", "Sensitivity"),
                "objects": total("exfil.objects", "Objects"),
                "bytes": total("exfil.bytes", "Bytes"),
                "events": total("exfil.events", "Events"),
                "new": least("@timestamp", "New on", "exfil.is_new: true"),
                "last": greatest("@timestamp", "Last"),
            },
        ),
        sort="bytes",
    )
    alone = "Own figures beside the median and the 90th percentile of the learned peers."
    rows = [
        [panels.session(site, "person", (48, 7), PEOPLE_SESSION)],
        [
            panels.chart(site, "risk", "Risk and findings", (24, 10), risk, "Risk is 0 to 100."),
            panels.chart(site, "new", "Assets, and what is new", (24, 10), new, "Distinct, a day."),
        ],
        [
            panels.chart(site, "bytes", "Bytes and peers", (24, 10), _peers("bytes"), alone),
            panels.chart(site, "objects", "Objects and peers", (24, 10), _peers("objects"), alone),
        ],
        [
            panels.vega(
                "ego",
                "Who touches what",
                (28, 20),
                vega.ego_graph(site),
                "The person's part of the graph of the latest day. Click a node to filter by it.",
            ),
            panels.vega(
                "coverage",
                "How much of each asset, by findings",
                (20, 20),
                vega.coverage(site),
                "The largest share of its objects that a finding names.",
            ),
        ],
        [
            panels.chart(
                site, "touched", "Assets touched", (28, 14), touched, "Sums of the time range."
            ),
            panels.markdown("runbook", "Next steps by detector", (20, 14), runbook_text(runbooks)),
        ],
        [panels.session(site, "history", (48, 12), HISTORY_SESSION)],
        [panels.session(site, "findings", (48, 14), FINDINGS_SESSION)],
    ]
    controls = [Control("user", "Identity", ENTITIES_VIEW, "user.id", single=True)]
    description = (
        "One person or service: trend, peers, what is new, assets, graph, verdicts, next steps. "
        "Follow the link of a user.id to get here, or choose an identity."
    )
    return _dashboard(site, "user", description, rows, controls)


def _asset(site: Site) -> dict[str, Any]:
    takers = table(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "user": top("user.id", "Identity", by="bytes", size=50),
                "name": beside("user.name", "Name"),
                "objects": total("exfil.objects", "Objects"),
                "bytes": total("exfil.bytes", "Bytes"),
                "events": total("exfil.events", "Events"),
                "new": least("@timestamp", "New on", "exfil.is_new: true"),
                "last": greatest("@timestamp", "Last"),
            },
        ),
        sort="bytes",
    )
    listed = table(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "asset": top("exfil.asset.id", "Asset", by="bytes", size=50),
                "team": beside("exfil.asset.owner_team", "Owner"),
                "sensitivity": greatest("exfil.asset.sensitivity", "Sensitivity"),
                "identities": distinct("user.id", "Identities"),
                "new": count("First touches", "exfil.is_new: true"),
                "bytes": total("exfil.bytes", "Bytes"),
            },
        ),
        sort="bytes",
    )
    rows = [
        [
            panels.chart(site, "listed", "Assets", (24, 14), listed, "Click an id to see one."),
            panels.chart(
                site, "takers", "Who took how much", (24, 14), takers, "Sums of the time range."
            ),
        ],
        [
            panels.chart(
                site,
                "bytes",
                "Bytes by identity",
                (24, 11),
                _by_identity("exfil.bytes"),
                "The eight largest.",
            ),
            panels.chart(
                site,
                "objects",
                "Objects by identity",
                (24, 11),
                _by_identity("exfil.objects"),
                "The eight largest.",
            ),
        ],
        [
            panels.session(site, "first-touches", (24, 14), FIRST_TOUCHES_SESSION),
            panels.session(site, "history", (24, 14), HISTORY_SESSION),
        ],
        [
            panels.vega(
                "ego",
                "Who touches it",
                (48, 20),
                vega.ego_graph(site),
                "Its part of the graph of the latest day. Click a node to filter by it.",
            )
        ],
        [panels.session(site, "findings", (48, 14), FINDINGS_SESSION)],
    ]
    description = (
        "One checkpoint, dataset, repository or cluster: who took how much of it and when, who is "
        "new to it, and the findings that name it. Follow the link of an asset's id to get here."
    )
    return _dashboard(site, "asset", description, rows, [])


def _graph(site: Site) -> dict[str, Any]:
    ties = table(
        Layer(
            GRAPH_VIEW,
            {
                "user": top("exfil.edge.user", "Identity", by="weight", size=20),
                "asset": top("exfil.edge.asset", "Asset", by="weight", size=5),
                "weight": greatest("exfil.edge.weight", "Weight"),
            },
        ),
        sort="weight",
        query="exfil.edge.is_new: true",
    )
    risky = table(
        Layer(
            GRAPH_VIEW,
            {
                "user": top("exfil.node.id", "Identity", by="risk", size=20),
                "name": beside("exfil.node.name", "Name"),
                "community": greatest("exfil.node.community", "Community"),
                "risk": greatest("exfil.node.risk", "Risk"),
            },
        ),
        sort="risk",
        risks=("risk",),
        query='exfil.node.type: "user"',
    )
    rows = [
        [
            panels.vega(
                "graph",
                "Who touches what",
                (48, 32),
                vega.ego_graph(site),
                "The latest day. Choose identities above for their pictures, or click a node.",
            )
        ],
        [
            panels.chart(
                site, "ties", "New ties", (24, 14), ties, "Not there in the window before."
            ),
            panels.chart(
                site, "risky", "Riskiest in the picture", (24, 14), risky, "Risk is 0 to 100."
            ),
        ],
    ]
    controls = [Control("user", "In the picture of", GRAPH_VIEW, "user.id")]
    description = "Identities and assets, and the ties between them, on the latest day."
    return _dashboard(site, "graph", description, rows, controls)


def _health(site: Site) -> dict[str, Any]:
    of_source = 'exfil.health.kind: "source"'
    of_detector = 'exfil.health.kind: "detector"'
    sources = table(
        Layer(
            HEALTH_VIEW,
            {
                "source": top("exfil.health.source", "Source", by="events", size=50),
                "last": greatest("exfil.health.last_event", "Last event"),
                "events": total("exfil.health.events", "Events"),
                "rejects": total("exfil.health.rejects", "Not understood"),
            },
        ),
        sort="events",
        query=of_source,
    )
    detectors = table(
        Layer(
            HEALTH_VIEW,
            {
                "detector": top("exfil.health.detector", "Detector", by="signals", size=50),
                "signals": total("exfil.health.signals", "Signals"),
                "findings": total("exfil.health.findings", "In-budget findings"),
            },
        ),
        sort="findings",
        query=of_detector,
    )
    verdicts = table(
        Layer(
            QUEUE_VIEW,
            {
                "detector": top("rule.name", "Leading detector", by="findings", size=50),
                "findings": count("Findings"),
                "open": count("Open", 'exfil.status: "open"'),
                "confirmed": count("Confirmed", 'exfil.status: "confirmed"'),
                "benign": count("Benign", 'exfil.status: "benign"'),
                "duplicate": count("Duplicate", 'exfil.status: "duplicate"'),
            },
        ),
        sort="findings",
        query="exfil.in_budget: true",
    )
    rows = [
        [
            _figure(
                site,
                "critical",
                "Critical expectations not met",
                HEALTH_VIEW,
                count("in the time range", _failed("critical")),
                STATUS_COLOURS["high"],
            ),
            _figure(
                site,
                "warnings",
                "Warnings",
                HEALTH_VIEW,
                count("expectations not met", _failed("warning")),
            ),
            _figure(
                site,
                "rejects",
                "Records not understood",
                HEALTH_VIEW,
                total("exfil.health.rejects", "in the time range", of_source),
            ),
            _figure(
                site,
                "alive",
                "Sources heard of",
                HEALTH_VIEW,
                distinct(
                    "exfil.health.source", "with events", f"{of_source} and exfil.health.events > 0"
                ),
            ),
        ],
        [
            panels.chart(
                site,
                "events",
                "Events by source",
                (24, 11),
                _health_days("source", "events"),
                "A gap is a source that fell silent.",
            ),
            panels.chart(
                site,
                "not-understood",
                "Records not understood",
                (24, 11),
                _health_days("source", "rejects"),
                "By source.",
            ),
        ],
        [
            panels.chart(
                site, "sources", "Sources", (20, 13), sources, "When each was last heard of."
            ),
            panels.session(site, "failed", (28, 13), FAILED_SESSION),
        ],
        [
            panels.chart(
                site,
                "signals",
                "Signals by detector",
                (24, 12),
                _health_days("detector", "signals"),
                "The largest ones.",
            ),
            panels.chart(
                site,
                "detectors",
                "Detectors",
                (24, 12),
                detectors,
                "Signals, and the findings they gave points to.",
            ),
        ],
        [
            panels.chart(
                site,
                "verdicts",
                "Verdicts by detector",
                (48, 12),
                verdicts,
                "Of findings in the budget: how often it was right.",
            )
        ],
    ]
    description = "Whether logs arrive and are understood, and what detectors and verdicts say."
    return _dashboard(site, "health", description, rows, [])


def _failed(severity: str) -> str:
    return (
        'exfil.health.kind: "expectation" and exfil.health.success: false '
        f'and exfil.health.severity: "{severity}"'
    )


def _peers(measure: str) -> Any:
    return timeline(
        Layer(
            ENTITY_DAYS_VIEW,
            {"day": by_day(), "own": greatest(f"exfil.{measure}", f"Own {measure}")},
        ),
        Layer(
            ENTITY_DAYS_VIEW,
            {
                "day": by_day(),
                "median": greatest(f"exfil.peer_{measure}_median", "Peers' median"),
                "p90": greatest(f"exfil.peer_{measure}_p90", "Peers' 90th percentile"),
            },
        ),
        {
            "own": STATUS_COLOURS["bars"],
            "median": STATUS_COLOURS["middle"],
            "p90": STATUS_COLOURS["high"],
        },
    )


def _by_identity(field: str) -> Any:
    return timeline(
        Layer(
            ASSET_DAYS_VIEW,
            {
                "day": by_day(),
                "user": top("user.id", "Identity", by="amount", size=8),
                "amount": total(field, "Amount"),
            },
        )
    )


def _health_days(kind: str, figures: str) -> Any:
    return timeline(
        Layer(
            HEALTH_VIEW,
            {
                "day": by_day(),
                kind: top(f"exfil.health.{kind}", kind.title(), by="amount", size=15),
                "amount": total(f"exfil.health.{figures}", figures.title()),
            },
        )
    )


def _figure(
    site: Site,
    name: str,
    title: str,
    view: DataView,
    column: dict[str, Any],
    colour: str = STATUS_COLOURS["middle"],
) -> Panel:
    return panels.chart(
        site, name, title, (12, 5), figure(Layer(view, {"figure": column}), colour), ""
    )


def _dashboard(
    site: Site,
    name: str,
    description: str,
    rows: Sequence[Sequence[Panel]],
    controls: Sequence[Control],
) -> dict[str, Any]:
    """A dashboard of rows of panels, side by side in each, below the links to the others."""
    placed: list[dict[str, Any]] = []
    references = [{"name": f"tag-ref-{site.id('tag')}", "type": "tag", "id": site.id("tag")}]
    y = 0
    for row in [[panels.links(site, TITLES, name)], *rows]:
        x = 0
        for panel in row:
            placed.append(_placed(panel, x, y))
            x += panel.width
            references += [
                {**reference, "name": f"{panel.name}:{reference['name']}"}
                for reference in panel.references
            ]
        y += max(panel.height for panel in row)
    references += [
        {
            "name": f"controlGroup_{control.name}:optionsListDataView",
            "type": "index-pattern",
            "id": control.view.id(site),
        }
        for control in controls
    ]
    options = {
        "useMargins": True,
        "syncColors": True,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    source = {"query": {"language": "kuery", "query": ""}, "filter": []}
    return {
        "type": "dashboard",
        "id": site.id(f"dashboard-{name}"),
        "attributes": {
            "title": f"{site.prefix}: {TITLES[name]}",
            "description": description,
            "panelsJSON": _text(placed),
            "optionsJSON": _text(options),
            "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
            "controlGroupInput": _controls(controls),
            "timeRestore": True,
            "timeFrom": "now-30d/d",
            "timeTo": "now",
            "refreshInterval": {"pause": True, "value": 60000},
            "version": 1,
        },
        "references": references,
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "10.2.0",
    }


def _placed(panel: Panel, x: int, y: int) -> dict[str, Any]:
    placed = {
        "type": panel.type,
        "title": panel.title,
        "panelIndex": panel.name,
        "gridData": {"x": x, "y": y, "w": panel.width, "h": panel.height, "i": panel.name},
        "embeddableConfig": dict(panel.config),
    }
    return placed | ({} if panel.saved is None else {"panelRefName": panel.saved})


def _controls(controls: Sequence[Control]) -> dict[str, Any]:
    shown = {
        control.name: {
            "type": "optionsListControl",
            "order": order,
            "width": "medium",
            "grow": False,
            "explicitInput": {
                "id": control.name,
                "title": control.title,
                "fieldName": control.field,
                "selectedOptions": list(control.chosen),
                "singleSelect": control.single,
                "searchTechnique": "prefix",
                "sort": {"by": "_count", "direction": "desc"},
                "enhancements": {},
            },
        }
        for order, control in enumerate(controls)
    }
    ignored = ("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations")
    return {
        "controlStyle": "oneLine",
        "chainingSystem": "HIERARCHICAL",
        "showApplySelections": False,
        "ignoreParentSettingsJSON": _text(dict.fromkeys(ignored, False)),
        "panelsJSON": _text(shown),
    }


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
