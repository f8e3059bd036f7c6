# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One service of a run: its stages put together, and what its operator must know and do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ansible_collections.continuity.dr.plugins.plugin_utils.core.objectives import Allowances, Objectives
from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import (
    VERDICTS,
    Measures,
    Trigger,
    Verdict,
    two_primaries,
    worst,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.report.measured import elsewhere, elsewhere_by, measured
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ServiceFiles, seconds_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING, Stage, decision_of, outcome_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.timeline import Entry, axis, words_of

#: verbs made of several stages, each with the stages of which one is what the verb is for, and with its last stage
COMPOSED: Mapping[str, tuple[str, ...]] = {"drill": ("failover", "switchover")}
LAST: Mapping[str, str] = {"drill": "failback"}
_PASSED = VERDICTS.index("passed")


def service_of(
    run: Mapping[str, Any], name: str, files: ServiceFiles, allow_degraded: frozenset[str], inventory: str
) -> dict[str, Any]:
    """The service's entry in report.json. `inventory`: the `-i` options of the next command, and
    what else it needs before its scope."""
    verb = str(run["verb"])
    info = (run.get("services") or {}).get(name) or {}
    stages, whole = _stages(verb, files.entries)
    times = axis(files.entries)
    made = {
        stage: _stage(run, name, stage, entries, times, files, allow_degraded).to_dict()
        for stage, entries in stages.items()
    }
    main = next((stage for stage in COMPOSED.get(verb, ()) if stage in made), list(made)[-1])
    entry = {
        "service": name,
        "function": info.get("function"),
        "tier": info.get("tier"),
        **made[main],
        **_together(verb, main, made, whole),
        "fault": _fault(files.entries),
        "protection": _protection(files.entries),
        "sessions": list(_last_of(files.entries, "sessions") or []),
        "notes": _notes(files),
        "stages": list(made.values()) if verb in COMPOSED else [],
    }
    _watched(entry, made, files)
    _distrust(entry, files)
    entry["redundancy"], entry["next_command"] = _next(entry, verb, files.entries, inventory)
    return entry


#: the stage of a restore drill's negative controls: what is refused or fails there is what was wanted
CONTROL = "control"


#: verbs that look first where the primary is: that it could not be moved now is no reason against them
ONLY_LOOK = {"backup": "assess", "restore": "assess"}


def _meant(verb: str, entries: Sequence[Entry]) -> list[Entry]:
    """The entries that tell how the verb went."""
    others = (CONTROL, ONLY_LOOK.get(verb))
    return [entry for entry in entries if (entry.get("data") or {}).get("stage") not in others]


def _stages(verb: str, entries: Sequence[Entry]) -> tuple[dict[str, list[Entry]], list[Entry]]:
    """The entries by stage, in the order in which the stages began, and those that speak for the verb as a whole."""
    found: dict[str, list[Entry]] = {}
    stage = verb
    for entry in _meant(verb, entries):
        stage = str((entry.get("data") or {}).get("stage") or stage)
        found.setdefault(stage, []).append(entry)
    whole = found.pop(verb, []) if verb in COMPOSED and len(found) > 1 else []
    return found or {verb: []}, whole


def _stage(
    run: Mapping[str, Any],
    name: str,
    stage: str,
    entries: Sequence[Entry],
    times: Mapping[int, float],
    files: ServiceFiles,
    allow_degraded: frozenset[str],
) -> Stage:
    verb = str(run["verb"])
    objectives = ((run.get("services") or {}).get(name) or {}).get("objectives") or {}
    allowances = (run.get("plan") or {}).get("allowances") or {}
    injected = _time_of(files.entries, times, "inject")
    trigger: Trigger = "planned" if stage != "failover" else "real" if injected is None else "injected"
    measures: Measures = "nothing" if stage not in MOVING else "expected"
    if verb in COMPOSED and measures == "expected" and not run.get("check_mode"):
        measures = "promised"
    steps = {str(step.get("name")) for step in decision_of(entries).get("steps") or () if isinstance(step, Mapping)}
    if verb not in COMPOSED and steps and not steps & {"promote", "point"}:
        measures = "nothing"  # only redundancy is restored; clients keep their primary
    first = times[int(entries[0]["seq"])] if entries else None
    started = seconds_of(run.get("started")) if verb not in COMPOSED else first
    reported = seconds_of((run.get("inputs") or {}).get("outage_started")) if trigger == "real" else None
    unnamed = files.measurements.get("") if stage == verb or stage in COMPOSED.get(verb, ()) else None
    return Stage(
        name=stage,
        service=name,
        entries=entries,
        times=times,
        measured=measured(files.measurements.get(stage) or unnamed, entries, times, reported),
        objectives=Objectives(objectives.get("rto_seconds"), objectives.get("rpo_seconds")),
        allowances=Allowances(*(float(allowances.get(k) or 0) for k in ("detection_seconds", "decision_seconds"))),
        trigger=trigger,
        measures=measures,
        began=injected if trigger == "injected" else started,
        allow_degraded=allow_degraded,
    )


def _together(verb: str, main: str, made: Mapping[str, Mapping[str, Any]], whole: Sequence[Entry]) -> dict[str, Any]:
    """Verdict and reasons of a service over all its stages.

    The stage that the verb is for gives the verdict; another one only makes it worse: a rejoin that went well does not
    make a drill pass that had nothing to do.
    """
    verdicts: list[Verdict] = [made[main]["verdict"]]
    reasons, fails = list(made[main]["reasons"]), [made[main]["fails"]]
    for stage, entry in made.items():
        if stage != main and VERDICTS.index(entry["verdict"]) < _PASSED:
            verdicts.append(entry["verdict"])
            reasons += [f"{stage}: {reason}" for reason in (*entry["reasons"], entry["message"]) if reason]
        fails.append(entry["fails"])
    ended = outcome_of(whole, verb) if whole else None
    if ended in ("failed", "refused"):
        verdicts.append(cast("Verdict", ended))
        fails.append(True)
    missing = _missing(verb, main, made)
    if missing and not any(fails):
        verdicts.append("failed")
        fails.append(True)
        reasons.append(f"the {verb} ended before its {missing}")
    message = made[main]["message"]
    for entry in whole:
        if entry.get("step") == "outcome":
            message = str((entry.get("data") or {}).get("message") or message)
    return {"verdict": worst(verdicts), "fails": any(fails), "reasons": reasons, "message": message}


def _missing(verb: str, main: str, made: Mapping[str, Mapping[str, Any]]) -> str:
    """The stage that a composed verb never came to, which its own steps would not tell."""
    if verb not in COMPOSED:
        return ""
    if main not in COMPOSED[verb]:
        return " or ".join(COMPOSED[verb])
    moved = made[main]["outcome"] in ("done", "degraded")
    return LAST[verb] if moved and LAST[verb] not in made else ""


def _fault(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """What the drill broke, in words: the name of the fault's file and the member it hit; null where nothing was."""
    said = _last_of(entries, "fault", step="inject")
    if not isinstance(said, Mapping) or not said.get("injected"):
        return None
    return {"name": words_of(str(said.get("name") or "a fault")), "member": said.get("member")}


def _protection(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """What became of synchronous replication: lifted (it was ...), or set anew; null where it was not touched."""
    said = _last_of(entries, "protection")
    known = {key: value for key, value in said.items() if value} if isinstance(said, Mapping) else {}
    return known or None


def _notes(files: ServiceFiles) -> list[str]:
    """What a reader must know of how this came about."""
    notes = [*files.notes, *(str(problem["message"]) for problem in files.problems)]
    for entry in files.entries:
        data = entry.get("data") or {}
        if entry.get("step") == "journal":
            notes.append(
                f"the run was cut off while it wrote entry {entry['seq']}; what it wrote of it is in {data['kept']}"
            )
        if entry.get("step") == "outcome" and data.get("undone"):
            notes.append("what was done was undone: the old primary serves again")
    return notes


def _watched(entry: dict[str, Any], made: Mapping[str, Mapping[str, Any]], files: ServiceFiles) -> None:
    """Two primaries fail a service whenever they were seen: in another stage, in the dwell, while the drill healed."""
    most = max((stage["acknowledged_elsewhere"] or 0 for stage in made.values()), default=0)
    seen = [(stage["acknowledged_elsewhere"], stage["fenced_writers"]) for stage in made.values()]
    for stage, data in files.measurements.items():
        if stage in made or not stage:
            continue
        count, by = elsewhere(data), elsewhere_by(data)
        seen.append((count, by))
        if count is not None and count > most:
            most = count
            entry.update(verdict="failed", fails=True)
            entry["reasons"] = [f"{stage}: {two_primaries(count, by)}", *entry["reasons"]]
    known = [(count, by) for count, by in seen if count is not None]
    if known:
        # Each looks at the ledger as a whole, so the largest count holds the others
        count, by = max(known, key=lambda each: each[0])
        entry.update(acknowledged_elsewhere=count, fenced_writers=dict(by))


def _distrust(entry: dict[str, Any], files: ServiceFiles) -> None:
    """A journal that was changed proves nothing, whatever it says. A torn tail is a crash and hides nothing."""
    if any(problem["kind"] != "torn" for problem in files.problems):
        entry.update(verdict="failed", fails=True)
        entry["reasons"] = ["the journal was changed after it was written", *entry["reasons"]]


def _next(
    entry: Mapping[str, Any], verb: str, entries: Sequence[Entry], inventory: str
) -> tuple[dict[str, Any] | None, str | None]:
    """What is left of the service's redundancy, and the command to run next (null: none)."""
    redundancy = _redundancy(entries)
    if redundancy is not None and not isinstance(redundancy, Mapping):
        redundancy = {"state": redundancy}
    said = _last_of(entries, "next_command", step="outcome") or (redundancy or {}).get("next_command")
    line = f"ansible-playbook continuity.dr.{{}} {inventory} -e scope={entry['service']}"
    if said:
        command: str | None = str(said)
    elif entry["verdict"] == "failed":
        command = line.format("assess")
    elif entry["outcome"] == "degraded" or (verb == "failover" and entry["outcome"] == "done"):
        command = line.format("rejoin")
    else:
        command = None
    if redundancy is not None:
        redundancy = {"state": str(redundancy.get("state") or ""), "next_command": command}
    return redundancy, command


def _redundancy(entries: Sequence[Entry]) -> Any:
    """What was last said of it. A member that rejoined afterwards takes back what was said before."""
    said: Any = None
    for entry in entries:
        said = (entry.get("data") or {}).get("redundancy", said)
        if entry.get("step") == "rejoin" and entry.get("state") == "done":
            said = None
    return said or None


def _last_of(entries: Sequence[Entry], key: str, step: str | None = None) -> Any:
    """The last value that any entry (of this step) recorded under `key`."""
    values = [(e.get("data") or {}).get(key) for e in entries if step is None or e.get("step") == step]
    return next((value for value in reversed(values) if value not in (None, "", {})), None)


def _time_of(entries: Sequence[Entry], times: Mapping[int, float], step: str) -> float | None:
    """When the step was done, for the last time."""
    done = [entry for entry in entries if entry.get("step") == step and entry.get("state") == "done"]
    return times[int(done[-1]["seq"])] if done else None
