"""Measures how well the review queue finds planted incidents, beside trivial rankings.

    python -m jobs.trial.evaluate demo [more folders …] [--quiet folder …] --out evaluation.md

writes the page, and beside it a picture of the same name with `.svg`. It reads ``truth.json`` and
the tables of sample labs that were run (``exfilwatch demo``). The queue of exfilwatch may be
shorter than the budget; a trivial ranking always fills it. With a cool-down a trivial ranking
leaves out whoever it has shown in the last 7 days. The figures of chance are computed, not drawn.

``--quiet`` names labs without incidents: each entry of their queues is false.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.inputs.config import load_config
from jobs.platform.errors import InputError, RunError
from jobs.trial.ablations import ablated_queues
from jobs.trial.evaluation_page import CHANCE, OWN, WARM_UP_DAYS, report, shares
from jobs.trial.evaluation_picture import draw_shares
from jobs.trial.judging import Lab, read_cases
from jobs.trial.rankings import RANKINGS, Queue, ranked
from models.features.rows import each_row
from schemas.tables.access import ACCESS
from schemas.tables.findings import FINDINGS
from schemas.tables.spec import Table

if TYPE_CHECKING:
    import pandas as pd


def own_queue(findings: pd.DataFrame) -> Queue:
    """The queue of the ``findings`` table. After its people an entry names its assets."""
    queue: Queue = {}
    for row in each_row(findings[findings["in_budget"]].sort_values(["day", "queue_rank"])):
        document = json.loads(row.document)
        assets = (asset["id"] for asset in document["exfil"]["assets"])
        queue.setdefault(row.day, []).append((row.entity, *document["related"]["user"], *assets))
    return queue


def read_lab(folder: Path) -> Lab:
    """A lab that was run; its first WARM_UP_DAYS are left out."""
    truth = _truth(folder)
    incidents, look_alikes = read_cases(truth)
    config = load_config(folder / "config.yml")
    access = _table(config.storage, ACCESS).drop(columns=["hourly"])
    access["bytes_out"] = access["bytes_out"].astype(float).fillna(0.0)
    judged = min(access["day"]) + timedelta(days=WARM_UP_DAYS)
    queues = {OWN: own_queue(_table(config.storage, FINDINGS))}
    queues |= {name: ranked(score(access)) for name, score in RANKINGS.items()}
    return Lab(
        folder.name,
        [case for case in incidents if case.last >= judged],
        look_alikes,
        {
            name: {day: entries for day, entries in queue.items() if day >= judged}
            for name, queue in queues.items()
        },
        access[access["day"] >= judged].groupby("day")["user_id"].nunique().to_dict(),
    )


def with_ablations(lab: Lab, folder: Path) -> Lab:
    """The lab with the queues of each ablation, of the days that are judged."""
    config = load_config(folder / "config.yml")
    return replace(lab, queues=lab.queues | ablated_queues(config, sorted(lab.active)))


def _table(storage: str, table: Table) -> pd.DataFrame:
    """A whole table as pandas, without an engine."""
    from jobs.platform.delta_tables import open_table, table_exists

    if not table_exists(storage, table):
        raise InputError([f"no table {table.name} in {storage}; run the lab first"])
    return open_table(storage, table).to_pandas()


def _truth(folder: Path) -> dict[str, Any]:
    path = folder / "truth.json"
    if not path.is_file():
        raise InputError([f"{path}: missing; `exfilwatch demo --out {folder}` makes one"])
    truth: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return truth


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 for a folder without a sample lab."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs.trial.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders made by `exfilwatch demo`")
    parser.add_argument("--quiet", nargs="*", type=Path, default=[], help="labs without incidents")
    parser.add_argument("--out", type=Path, required=True, help="the page to write, such as x.md")
    arguments = parser.parse_args(argv)
    lines: list[str] = []
    try:
        labs = [with_ablations(read_lab(folder), folder) for folder in arguments.folders]
        quiet = [read_lab(folder) for folder in arguments.quiet]
        picture = arguments.out.with_suffix(".svg")
        report(labs, quiet, picture.name, lines.append)
    except RunError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    picture.write_text(draw_shares(shares(labs), OWN, CHANCE), encoding="utf-8")
    print(f"{arguments.out} and {picture} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
