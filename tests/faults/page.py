# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/faults.md, written from what was kept (results.py) and the catalogue, and from nothing else."""

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
| names | the three authoritative servers (BIND, BIND, Knot) are asked 20 times a second | \
never NXDOMAIN, an empty answer or an error, and never silence of all three |
| ledger | a client of its own writes numbered rows through the name | what was acknowledged is on the surviving \
primary, or inside the loss that the report declares |
| secrets | every secret of the lab is searched in all output (`-vvv --diff`) and all files | none is found |
| second run | the same verb again, and a picture of the lab before and after | the same exit code, `changed=0` on \
every host, nothing is different |

Each of these is shown to fire on a planted violation, for each service (`tests/faults/test_oracles.py`). One that saw
nothing fails the fault: a server that never answered, a client that died, a member that was not heard for more than two
seconds while another could take writes (it is tried once more, then it has failed). The page is generated from
`build/faults.json`, kept as `tests/faults/results.json`; each row names the commit that it was seen on, with a plus
where files were not yet committed.

{about}

"""
COLUMNS = "| | fault | verb | expected | result | seen | commit |\n|---|---|---|---|---|---|---|"
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
        "No second run is asked of:",
        "",
        *not_repeated([*faults, *controls]),
        "",
        "## Kill points and schedules",
        "",
        _counted(
            results, "kill_points", "The controller is killed with SIGKILL after a line of its journal and run again"
        ),
        _counted(results, "schedules", "Random faults under load, replayable by their seed"),
    ]
    return HEAD.format(about=about(results, len(faults))) + "\n".join(tables)


def about(results: Mapping[str, Any], total: int) -> str:
    """Counts, commits, seed."""
    counted = Counter(entry["result"] for entry in results["faults"])
    counts = ", ".join(f"{counted[name]} {word.replace('*', '')}" for name, word in WORDS.items() if counted[name])
    untried = total - sum(counted.values())
    counts += f", {untried} not tried" if untried else ""
    tried = [*results["faults"], *results["controls"]]
    return f"{counts or 'nothing tried yet'}; {commits(tried)}, seed {results.get('seed', 'none')}."


def commits(entries: Sequence[Mapping[str, Any]]) -> str:
    """How many commits the rows were seen on; the newest where that is known.

    >>> commits([{"commit": "aa", "when": "2026-11-01"}, {"commit": "bb", "when": "2026-11-02"}, {"commit": "cc"}])
    '3 commits, the newest bb'
    """
    every = {entry["commit"] for entry in entries}
    if len(every) < 2:
        return f"commit {next(iter(every), 'none')}"
    known = [entry for entry in entries if entry.get("when")]
    newest = f", the newest {max(known, key=lambda entry: entry['when'])['commit']}" if known else ""
    return f"{len(every)} commits{newest}"


def not_repeated(faults: Sequence[Fault]) -> list[str]:
    """Where no second run is asked for, and why."""
    return [f"- {fault.id}: {fault.once}." for fault in faults if fault.once]


def table(faults: Sequence[Fault], entries: Sequence[Mapping[str, Any]]) -> str:
    """One row a fault."""
    found = {entry["id"]: entry for entry in entries}
    return "\n".join([COLUMNS, *(_row(fault, found.get(fault.id)) for fault in faults), ""])


def _row(fault: Fault, entry: Mapping[str, Any] | None) -> str:
    result = WORDS[entry["result"]] if entry else "not tried"
    seen = str(entry["seen"]) if entry else ""
    title = f"**{fault.title}**: {fault.injected}"
    commit = str(entry["commit"]) if entry else ""
    return f"| {' | '.join(map(_cell, (fault.id, title, fault.verb, fault.expected, result, seen, commit)))} |"


def _cell(text: str) -> str:
    """Text for one cell: in one line, with no bar, not endless."""
    plain = " ".join(text.split()).replace("|", "/").replace("<", "&lt;")
    return plain if len(plain) <= SEEN_LENGTH else f"{plain[:SEEN_LENGTH]} ..."


def _counted(results: Mapping[str, Any], what: str, words: str) -> str:
    details = results.get(f"{what}_about")
    if not details:
        return f"- {words}: not tried yet."
    wrong = len(details["failed"])
    seen_on = details["commit"].split(", ")
    end = f"{'commit ' + seen_on[0] if len(seen_on) == 1 else f'{len(seen_on)} commits'}, seed {details['seed']}"
    tried = f"{details['tried']} of {details['of']}" if details.get("of") else str(details["tried"])
    promoted = f", {details['promoted']} of them with a promotion" if "promoted" in details else ""
    return f"- {words}: {tried} tried{promoted}, {wrong or 'none'} failed; {end}."
