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
from ansible_collections.continuity.dr.plugins.plugin_utils.report.command import line, without_check
from ansible_collections.continuity.dr.plugins.plugin_utils.report.measured import elsewhere, elsewhere_by, measured
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import ServiceFiles, seconds_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING, Stage, decision_of, outcome_of
from ansible_collections.continuity.dr.plugins.plugin_utils.report.timeline import Entry, axis, words_of

#: verbs made of several stages, each with the stages of which one is what the verb is for
COMPOSED: Mapping[str, tuple[str, ...]] = {"drill": ("failover", "switchover")}
#: the last stage of a verb, with its name in words: a run that was cut off before it did not do what the verb is for
LAST: Mapping[str, tuple[str, str]] = {
    "drill": ("failback", "failback"),
    "failback": ("failback", "move"),
    "restore": ("backup", "backup"),
}
#: what a restore has done that put the data where the service serves it
REPLACED = ("in_place", "rebuilt")
_PASSED = VERDICTS.index("passed")
#: how a decision says that members are missing which a rejoin brings back
_NOT_FOLLOWING = "not following"


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
    main = next((stage for stage in COMPOSED.get(verb, (verb,)) if stage in made), list(made)[-1])
    entry = {
        "service": name,
        "function": info.get("function"),
        "tier": info.get("tier"),
        **made[main],
        # What a check run did not do has nothing that follows it
        **_together(
            verb, main, made, whole, _missing(verb, main, made, () if run.get("check_mode") else files.entries)
        ),
        "fault": _fault(files.entries),
        "protection": _protection(files.entries),
        "sessions": list(_last_of(files.entries, "sessions") or []),
        "notes": _notes(files),
        "stages": list(made.values()) if verb in COMPOSED else [],
    }
    _watched(entry, made, files)
    _distrust(entry, files)
    entry["redundancy"], entry["next_command"] = _next(entry, run, files.entries, inventory)
    return entry


#: the stage of a restore drill's negative controls: what is refused or fails there is what was wanted
CONTROL = "control"


#: verbs that look first where the primary is: that it could not be moved now is no reason against them
ONLY_LOOK = {"backup": "assess", "restore": "assess"}
#: verbs of which any stage that did something is news: a restore that was cut off is ended by its rejoin and its backup
ANY_STAGE = ("restore",)


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
    # Where no member has data nobody serves: building the service anew ends a real outage
    rebuilds = verb == stage == "restore" and any(
        (each.get("data") or {}).get("state") == "rebuilt" for each in entries
    )
    moves = stage in MOVING or rebuilds
    ends_outage = stage == "failover" or rebuilds
    trigger: Trigger = "planned" if not ends_outage else "real" if injected is None else "injected"
    measures: Measures = "expected" if moves else "nothing"
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


def _together(
    verb: str, main: str, made: Mapping[str, Mapping[str, Any]], whole: Sequence[Entry], missing: str
) -> dict[str, Any]:
    """Verdict, reasons and refusals of a service over all its stages.

    The stage that the verb is for gives the verdict; another one only makes it worse: a rejoin that went well does not
    make a drill pass that had nothing to do.
    """
    verdicts: list[Verdict] = [made[main]["verdict"]]
    reasons, fails = list(made[main]["reasons"]), [made[main]["fails"]]
    refusals = list(made[main]["refusals"])
    for stage, entry in made.items():
        if stage != main and (verb in ANY_STAGE or VERDICTS.index(entry["verdict"]) < _PASSED):
            verdicts.append(entry["verdict"])
            reasons += [f"{stage}: {reason}" for reason in (*entry["reasons"], entry["message"]) if reason]
            refusals += [each for each in entry["refusals"] if each not in refusals]
        fails.append(entry["fails"])
    ended = outcome_of(whole, verb) if whole else None
    if ended in ("failed", "refused"):
        verdicts.append(cast("Verdict", ended))
        fails.append(True)
    if missing and not any(fails):
        verdicts.append("failed")
        fails.append(True)
        reasons.append(f"the {verb} ended before its {missing}")
    message = made[main]["message"]
    for entry in whole:
        if entry.get("step") == "outcome":
            message = str((entry.get("data") or {}).get("message") or message)
    return {
        "verdict": worst(verdicts),
        "fails": any(fails),
        "reasons": reasons,
        "refusals": refusals,
        "message": message,
    }


def _missing(verb: str, main: str, made: Mapping[str, Mapping[str, Any]], entries: Sequence[Entry]) -> str:
    """The stage that a verb of several never came to, which its own steps would not tell; nothing where it did."""
    if verb in COMPOSED and main not in COMPOSED[verb]:
        return " or ".join(COMPOSED[verb])
    last, words = LAST.get(verb, ("", ""))
    if not last or last in made:
        return ""
    if verb == "drill" and made[main]["outcome"] not in ("done", "degraded"):
        return ""
    if verb == "restore" and (_last_of(entries, "restored", step="outcome") or {}).get("state") not in REPLACED:
        return ""
    return words


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
    entry: Mapping[str, Any], run: Mapping[str, Any], entries: Sequence[Entry], inventory: str
) -> tuple[dict[str, Any] | None, str | None]:
    """What is left of the service's redundancy, and the command to run next (null: none)."""
    redundancy = _redundancy(entries)
    if redundancy is not None and not isinstance(redundancy, Mapping):
        redundancy = {"state": redundancy}
    said = _last_of(entries, "next_command", step="outcome") or (redundancy or {}).get("next_command")
    missing = _NOT_FOLLOWING in str((redundancy or {}).get("state"))
    command: str | None = None
    if run.get("check_mode") and entry["outcome"] in ("done", "degraded"):
        command = without_check(run, inventory)  # nothing was done, so nothing is to be done after it
    elif said:
        command = str(said)
    elif entry["verdict"] == "failed":
        command = line("assess", inventory, entry["service"])
    elif (
        entry["outcome"] == "degraded"
        or (run["verb"] == "failover" and entry["outcome"] == "done")
        or (missing and entry["verdict"] != "refused")
    ):
        command = line("rejoin", inventory, entry["service"])
    if redundancy is not None:
        redundancy = {"state": str(redundancy.get("state") or ""), "next_command": command}
    return redundancy, command


def _redundancy(entries: Sequence[Entry]) -> Any:
    """What was last said of it. A member that rejoined afterwards takes back what was said before.

    A decision says what will be missing once its steps are done: that counts when one of them was.
    """
    said: Any = None
    forecast: Any = None
    for entry in entries:
        data = entry.get("data") or {}
        if entry.get("step") == "decide":
            forecast = data.get("redundancy") if _will_move(data) else None
        if "redundancy" in data and not _will_move(data):
            said = data["redundancy"]
        if data.get("check_mode") or entry.get("state") != "done":
            continue
        if entry.get("step") == "promote" and forecast is not None:
            said, forecast = forecast, None
        if entry.get("step") == "rejoin":
            said = forecast = None
    return said or None


def _will_move(decision: Mapping[str, Any]) -> bool:
    """Whether the decision changes who is primary and who follows; `assess` tells of what is, whatever it could do."""
    names = {str(step.get("name")) for step in decision.get("steps") or () if isinstance(step, Mapping)}
    return decision.get("verb") != "assess" and bool(names & {"promote", "rejoin"})


def _last_of(entries: Sequence[Entry], key: str, step: str | None = None) -> Any:
    """The last value that any entry (of this step) recorded under `key`."""
    values = [(e.get("data") or {}).get(key) for e in entries if step is None or e.get("step") == step]
    return next((value for value in reversed(values) if value not in (None, "", {})), None)


def _time_of(entries: Sequence[Entry], times: Mapping[int, float], step: str) -> float | None:
    """When the step was done, for the last time."""
    done = [entry for entry in entries if entry.get("step") == step and entry.get("state") == "done"]
    return times[int(done[-1]["seq"])] if done else None
