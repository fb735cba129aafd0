"""Every detector names techniques of ATT&CK and ATLAS as the lists name them."""

from __future__ import annotations

from dataclasses import replace

from models.detectors import Description, Technique, describe, detector_names
from schemas.techniques import atlas, attack

LISTED = {technique.id: technique for technique in (*attack(), *atlas())}


def offences(about: Description) -> list[str]:
    """Each technique and tactic of the yml that the lists do not confirm."""
    found, served = [], set[str]()
    for technique in about.techniques:
        listed = LISTED.get(technique.id)
        if listed is None:
            found.append(f"{technique.id} {technique.name}: not in the list")
            continue
        served |= set(listed.tactics)
        if technique.name != listed.name:
            found.append(f"{technique.id} {technique.name}: its name is {listed.name!r}")
        if not set(listed.tactics) & set(about.tactics):
            found.append(f"{technique.id} {technique.name}: serves {', '.join(listed.tactics)}")
    found += [f"{each}: no technique serves it" for each in about.tactics if each not in served]
    return [f"{about.name}.yml: {offence}" for offence in found]


def test_every_technique_and_tactic_is_in_the_lists() -> None:
    found = [offence for name in detector_names() for offence in offences(describe(name))]
    assert not found, "\n".join(found)


def test_a_wrong_technique_or_tactic_is_found() -> None:
    about = replace(
        describe("burst_self"),
        techniques=(
            Technique("T1530", "Data from Cloud Storage Object"),
            Technique("T1999", "Theft of Weights"),
            Technique("AML.T0012", "Valid Accounts"),
        ),
        tactics=("Collection", "Impact"),
    )
    assert offences(about) == [
        "burst_self.yml: T1530 Data from Cloud Storage Object: its name is"
        " 'Data from Cloud Storage'",
        "burst_self.yml: T1999 Theft of Weights: not in the list",
        "burst_self.yml: AML.T0012 Valid Accounts:"
        " serves Initial Access, Privilege Escalation, Lateral Movement",
        "burst_self.yml: Impact: no technique serves it",
    ]
