# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/faults.md, written from build/faults.json and the catalogue, and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from topology import CHECKOUT

from tests.faults import catalogue
from tests.faults.catalogue import Fault

PAGE = CHECKOUT / "docs" / "faults.md"
WORDS = {
    "passed": "passed",
    "refused_as_expected": "refused, as it must be",
    "failed": "**failed**",
    "not_applicable": "not applicable",
}
HEAD = """\
# What was broken, and what came of it

```sh
make faults                        # every fault below, in the lab
make faults FAULTS="F01 F12"       # some of them, by the names that this page gives them
```

Each fault is injected in the [lab](lab.md) while somebody else watches, from outside Ansible:

| watched | how | must hold |
|---|---|---|
| one writer | a loop in each member asks ten times a second whether it takes a write | never two members of a service |
| names | the three authoritative servers are asked 20 times a second | never NXDOMAIN, an empty answer or an error |
| ledger | a client of its own writes numbered rows through the name | what was acknowledged is on the surviving \
primary, or inside the loss that the report declares |
| secrets | every secret of the lab is searched in all output (`-vvv --diff`) and all files | none is found |
| second run | the same verb again, and a picture of the lab before and after | nothing changed |

Each of these is shown to fire on a planted violation (`tests/faults/test_oracles.py`). The page is generated from
`build/faults.json`: {about}

"""
COLUMNS = "| | fault | verb | expected | result | seen |\n|---|---|---|---|---|---|"
SEEN_LENGTH = 420


def write(results: Mapping[str, Any], path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(render(results, catalogue.read(), catalogue.read("controls")), encoding="utf-8")


def render(results: Mapping[str, Any], faults: Sequence[Fault], controls: Sequence[Fault]) -> str:
    """The whole page."""
    tables = [
        "## Faults",
        "",
        "What is injected stands behind the title.",
        "",
        table(faults, results["faults"]),
        "## Negative controls",
        "",
        "One drill, each time with one thing broken that it rests on. A matrix in which everything passes proves",
        "something only where the same procedures are seen to fail.",
        "",
        table(controls, results["controls"]),
        "## Kill points and schedules",
        "",
        _counted(
            results, "kill_points", "The controller is killed with SIGKILL after a line of its journal and run again"
        ),
        _counted(results, "schedules", "Random faults under load, replayable by their seed"),
    ]
    return HEAD.format(about=about(results)) + "\n".join(tables)


def about(results: Mapping[str, Any]) -> str:
    """Counts, commit, seed."""
    counted = Counter(entry["result"] for entry in results["faults"])
    counts = ", ".join(f"{counted[name]} {word.replace('*', '')}" for name, word in WORDS.items() if counted[name])
    commits = sorted({entry["commit"] for entry in (*results["faults"], *results["controls"])})
    return (
        f"{counts or 'nothing tried yet'}; commit {', '.join(commits) or 'none'}, seed {results.get('seed', 'none')}."
    )


def table(faults: Sequence[Fault], entries: Sequence[Mapping[str, Any]]) -> str:
    """One row a fault."""
    found = {entry["id"]: entry for entry in entries}
    return "\n".join([COLUMNS, *(_row(fault, found.get(fault.id)) for fault in faults), ""])


def _row(fault: Fault, entry: Mapping[str, Any] | None) -> str:
    result = WORDS[entry["result"]] if entry else "not tried"
    seen = str(entry["seen"]) if entry else ""
    title = f"**{fault.title}**: {fault.injected}"
    return f"| {' | '.join(map(_cell, (fault.id, title, fault.verb, fault.expected, result, seen)))} |"


def _cell(text: str) -> str:
    """Text for one cell: in one line, with no bar, not endless."""
    plain = " ".join(text.split()).replace("|", "/").replace("<", "&lt;")
    return plain if len(plain) <= SEEN_LENGTH else f"{plain[:SEEN_LENGTH]} ..."


def _counted(results: Mapping[str, Any], what: str, words: str) -> str:
    details = results.get(f"{what}_about")
    if not details:
        return f"- {words}: not tried yet."
    wrong = len(details["failed"])
    end = f"commit {details['commit']}, seed {details['seed']}"
    return f"- {words}: {details['tried']} tried, {wrong or 'none'} failed; {end}."
