# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the collection wants to reach, each in terms of other cases of the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Cases = Mapping[str, Any]
CONNECT_SECONDS = 3.0  # one connect timeout: what a dead machine may cost
PLAN_SECONDS = 3.0
#: What the sentences of C(spent) were found out on; nothing computes them.
SPENT_AS_OF = "20d8108"


@dataclass(frozen=True)
class Goal:
    """A median of one case that is not to be above a limit; the limit may rest on medians of other cases."""

    text: str
    case: str
    measure: str
    limit: Callable[[Cases], float]
    #: Why the time goes there, told where the goal was missed; the phases themselves are computed.
    spent: str = ""

    def judged(self, cases: Cases) -> tuple[float, float] | None:
        """What was measured and the limit, or None where a case of it was not measured."""
        try:
            return median(cases, self.case, self.measure), self.limit(cases)
        except (KeyError, ValueError):
            return None


def median(cases: Cases, case: str, measure: str) -> float:
    """Of what was lost, the sum. Raises KeyError for what was not measured."""
    found = cases[case][measure]
    return float(found if measure == "lost" else found["median"])


def _debug(cases: Cases) -> float:
    return median(cases, "ansible_debug_playbook", "wall_seconds")


def _best_peer(cases: Cases) -> float:
    peers = [name for name in cases if name.endswith("_switchover") and not name.startswith("continuity_")]
    return min(median(cases, name, "outage_seconds") for name in peers if "outage_seconds" in cases[name])


GOALS = (
    Goal(
        "A planned move is no longer than 1.5 times the floor",
        *("continuity_switchover", "outage_seconds"),
        lambda cases: 1.5 * median(cases, "floor_planned", "outage_seconds"),
        "the steps below are the database's own; between them lie the readings that prove the clean shutdown, and the"
        " client's look-up of the name",
    ),
    Goal("and shorter than that of every peer", "continuity_switchover", "outage_seconds", _best_peer),
    Goal("and loses nothing (rows)", "continuity_switchover", "lost", lambda _cases: 0.0),
    Goal(
        "After a kill, no longer than twice a playbook with one `debug` task",
        *("continuity_failover_killed", "outage_seconds"),
        lambda cases: 2 * _debug(cases),
        "Ansible's own start takes as long as the whole playbook with one task. Each of some twenty tasks until the"
        " name has moved costs a process and the compiling of its templates, 10 to 60 ms before it does anything",
    ),
    Goal(
        f"With the machine gone, that and one connect timeout of {CONNECT_SECONDS:g} s",
        *("continuity_failover_host_gone", "outage_seconds"),
        lambda cases: 2 * _debug(cases) + CONNECT_SECONDS,
        "the same, the connect timeout, 1 s for the look at the silent machine from elsewhere, and its device: asked,"
        " switched off, asked again right before the promotion",
    ),
    Goal(
        "A second run takes no longer than 1.6 times such a playbook",
        *("continuity_nothing_to_do", "wall_seconds"),
        lambda cases: 1.6 * _debug(cases),
        "every member and every name server is asked anew (0.3 s), and a report is written",
    ),
    Goal(
        "50 services in 3 waves take no longer than 8 times one",
        *("continuity_scale_50", "wall_seconds"),
        lambda cases: 8 * median(cases, "continuity_scale_1", "wall_seconds"),
        "each service is about forty tasks of Ansible's, each with a process of its own: the controller's processors,"
        " which the fifty pairs of servers share here, are busy all the time",
    ),
    Goal(
        "A plan of 1,000 functions and 5,000 services",
        *("plan_of_5000_services", "wall_seconds"),
        lambda _cases: PLAN_SECONDS,
    ),
)


def _spent(goal: Goal, case: Mapping[str, Any]) -> list[str]:
    """One line: the phases that the runs' own journals tell, what is left of the outage, and why."""
    parts, told = dict(case.get("parts_ms") or {}), []
    if "client" not in parts:  # counted from the run's begin: what is verified comes after the first write
        parts.pop("verify", None)
    if parts and goal.measure == "outage_seconds":
        rest = case[goal.measure]["median"] - sum(parts.values()) / 1000
        phases = ", ".join(f"{name} {took / 1000:.2f}" for name, took in parts.items())
        told.append(
            f"{phases} s; before and between them, until the client writes again, {max(0.0, rest):.2f} s (medians)"
        )
    if goal.spent:
        told.append(f"{goal.spent} (as of commit {SPENT_AS_OF})")
    return [f"- {goal.text}: {'. '.join(text[0].upper() + text[1:] for text in told)}."] if told else []


def table(cases: Cases) -> str:
    """Every goal with what was measured; one that was missed says so."""
    spent: list[str] = []
    lines = ["## Goals", "", "| goal | measured (s) | limit | |", "|---|---|---|---|"]
    for goal in GOALS:
        found = goal.judged(cases)
        if found is None:
            failed = any("failed" in sample for sample in cases.get(goal.case, {}).get("samples", ()))
            lines.append(f"| {goal.text} | - | - | {'**failed**' if failed else 'not measured'} |")
            continue
        measured, limit = found
        reached = measured <= limit
        lines.append(f"| {goal.text} | {measured:.2f} | {limit:.2f} | {'reached' if reached else '**missed**'} |")
        spent += [] if reached else _spent(goal, cases[goal.case])
    why = ["", "Where the time goes where a goal was missed:", "", *spent] if spent else []
    return "\n".join([*lines, *why, ""])
