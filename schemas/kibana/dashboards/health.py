"""The dashboard Detector and pipeline health."""

from __future__ import annotations

from typing import Any

from schemas.kibana import panels
from schemas.kibana.dashboards.frame import dashboard, failed, figure_panel, health_days
from schemas.kibana.data_views import (
    HEALTH_VIEW,
    QUEUE_VIEW,
)
from schemas.kibana.lens import (
    STATUS_COLOURS,
    Chart,
    Layer,
    count,
    distinct,
    greatest,
    table,
    top,
    total,
)
from schemas.kibana.panels import Panel
from schemas.kibana.sessions import (
    FAILED_SESSION,
)
from schemas.kibana.site import Site

OF_SOURCE = 'exfil.health.kind: "source"'
OF_DETECTOR = 'exfil.health.kind: "detector"'


def health_dashboard(site: Site) -> dict[str, Any]:
    """The dashboard: deliveries, rejects, expectations not met, detectors and verdicts."""
    rows = [
        _figures(site),
        [
            panels.chart(
                site,
                "events",
                "Events by source",
                (24, 11),
                health_days("source", "events"),
                "A gap is a source that fell silent.",
            ),
            panels.chart(
                site,
                "not-understood",
                "Records not understood",
                (24, 11),
                health_days("source", "rejects"),
                "By source.",
            ),
        ],
        [
            panels.chart(
                site, "sources", "Sources", (20, 13), _sources(), "Last event of each source."
            ),
            panels.session(site, "failed", (28, 13), FAILED_SESSION),
        ],
        [
            panels.chart(
                site,
                "signals",
                "Signals by detector",
                (24, 12),
                health_days("detector", "signals"),
                "The largest ones.",
            ),
            panels.chart(
                site,
                "detectors",
                "Detectors",
                (24, 12),
                _detectors(),
                "Signals, and the findings they gave points to.",
            ),
        ],
        [
            panels.chart(
                site,
                "verdicts",
                "Verdicts by detector",
                (48, 12),
                _verdicts(),
                "Findings in the budget, by detector and verdict.",
            )
        ],
    ]
    description = "Delivery and rejects of logs, expectations, signals and verdicts by detector."
    return dashboard(site, "health", description, rows, [])


def _sources() -> Chart:
    """Deliveries by source."""
    return table(
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
        query=OF_SOURCE,
    )


def _detectors() -> Chart:
    """Signals and findings by detector."""
    return table(
        Layer(
            HEALTH_VIEW,
            {
                "detector": top("exfil.health.detector", "Detector", by="signals", size=50),
                "signals": total("exfil.health.signals", "Signals"),
                "findings": total("exfil.health.findings", "In-budget findings"),
            },
        ),
        sort="findings",
        query=OF_DETECTOR,
    )


def _verdicts() -> Chart:
    """Verdicts on in-budget findings by leading detector."""
    return table(
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


def _figures(site: Site) -> list[Panel]:
    """The row of figures at the top."""
    return [
        figure_panel(
            site,
            "critical",
            "Critical expectations not met",
            HEALTH_VIEW,
            count("in the time range", failed("critical")),
            STATUS_COLOURS["high"],
        ),
        figure_panel(
            site,
            "warnings",
            "Warnings",
            HEALTH_VIEW,
            count("expectations not met", failed("warning")),
        ),
        figure_panel(
            site,
            "rejects",
            "Records not understood",
            HEALTH_VIEW,
            total("exfil.health.rejects", "in the time range", OF_SOURCE),
        ),
        figure_panel(
            site,
            "alive",
            "Active sources",
            HEALTH_VIEW,
            distinct(
                "exfil.health.source", "with events", f"{OF_SOURCE} and exfil.health.events > 0"
            ),
        ),
    ]
