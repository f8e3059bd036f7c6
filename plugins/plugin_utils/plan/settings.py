# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values of a run's settings (`-e continuity_x=...`): a wrong one would be met in the middle of the run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import cut, finding, nearest, visible
from ansible_collections.continuity.dr.plugins.plugin_utils.run import RUNS_DIRECTORY, checked_run_id, is_made

#: Verbs that read what a run of any verb has left.
READING_RUNS = frozenset({"report", "rights"})
#: What a run is about. Confirmations, waivers and bounds may be added: a refusal asks for them.
SAME_INPUTS = ("scope", "target_site", "source_site")
CLAIM_SECONDS = (60, 3600)  # what dns_claim takes; a test compares the two


def settings_findings(extra: Mapping[str, Any]) -> list[str]:
    """Every wrong value among the settings of the extra variables."""
    return [*_run_id(extra), *_runs_directory(extra), *_claim_seconds(extra), *_allow_degraded(extra)]


def allowed_degraded(extra: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in `continuity_outcome_allow_degraded`, a list or a text with commas, once they are checked."""
    value = extra.get("continuity_outcome_allow_degraded") or ()
    names = value.split(",") if isinstance(value, str) else value
    return tuple(name for name in ("".join(each).strip() for each in names) if name)  # plain text, without tags


def _run_id(extra: Mapping[str, Any]) -> Iterator[str]:
    value = extra.get("continuity_run_id")
    if value is not None:
        try:
            checked_run_id(cut(value) if isinstance(value, str) else f"{cut(value)} (no text)")
        except ValueError as error:
            yield visible(str(error))


def _runs_directory(extra: Mapping[str, Any]) -> Iterator[str]:
    """That the directory is one, or can be made: the journal is written before anything is changed."""
    value = extra.get("continuity_runs_dir")
    if value is None:
        return
    name, allowed = "continuity_runs_dir", "a directory that can be written to, or a path where one can be made"
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        yield finding(name, f'"{cut(value)}" is not a path', allowed)
        return
    there = path = os.path.abspath(os.path.expanduser(value))
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        yield finding(name, f'"{cut(path)}" cannot be made: {there} is no directory', allowed)
    elif not os.access(there, os.W_OK | os.X_OK):
        yield finding(name, f'"{cut(path)}" cannot be written to: {there} belongs to somebody else', allowed)


def _claim_seconds(extra: Mapping[str, Any]) -> Iterator[str]:
    value = extra.get("continuity_claim_seconds")
    if value is None:
        return
    low, high = CLAIM_SECONDS
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        shown = text.lower() if isinstance(value, bool) else cut(value)
        yield finding("continuity_claim_seconds", f'"{shown}" is not possible', f"whole seconds from {low} to {high}")


def _allow_degraded(extra: Mapping[str, Any]) -> Iterator[str]:
    value = extra.get("continuity_outcome_allow_degraded")
    words = [value] if isinstance(value, str) else value
    if value is None or (isinstance(words, list) and all(isinstance(word, str) and word.strip() for word in words)):
        return
    shown = str(value).lower() if isinstance(value, bool) else cut(value)
    allowed = "a list of names as reports write them, or of services; one by one, never all"
    yield finding("continuity_outcome_allow_degraded", f'"{shown}" is no list of names', allowed)


def continued_findings(
    extra: Mapping[str, Any], verb: str, check_mode: bool, inputs: Mapping[str, Any]
) -> Iterator[str]:
    """A run is continued by the verb that it is of, and about the same services in the same direction.

    It adopts what the run holds, goes on under its name, and the report tells of the run that was begun.
    """
    run_id, runs = extra.get("continuity_run_id"), extra.get("continuity_runs_dir") or RUNS_DIRECTORY
    if verb in READING_RUNS or not isinstance(run_id, str) or not isinstance(runs, str):
        return
    try:
        path = os.path.join(os.path.expanduser(runs), checked_run_id(run_id), "run.json")
        with open(path, encoding="utf-8") as file:
            known = json.load(file)
        begun, rehearsed = str(known["verb"]), bool(known.get("check_mode"))
        changed = list(_changed(known.get("inputs") or {}, inputs))
    except FileNotFoundError:
        yield from _mistyped(run_id, os.path.dirname(os.path.dirname(path)))
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # nothing of it can be read
        return
    if (begun, rehearsed) != (verb, check_mode):
        of = f"{begun} in check mode" if rehearsed else begun
        now = f"{verb} in check mode" if check_mode else verb
        wrong = f'"{cut(run_id)}" is a run of {of}, and this is {now}'
        allowed = f"the same verb again, which continues it, or an id of its own ({path})"
        yield finding("continuity_run_id", wrong, allowed)
    elif changed:
        wrong = f'"{cut(run_id)}" was begun with other inputs: {", ".join(changed)}'
        allowed = f"the inputs that it was begun with, which continue it, or an id of its own ({path})"
        yield finding("continuity_run_id", wrong, allowed)


def _mistyped(run_id: str, runs: str) -> Iterator[str]:
    """An id that only a run gives itself, one letter beside that of a run that is kept here, was meant to be that one.

    Without such a neighbour it may be a run of another controller, whose claim it continues.
    """
    try:
        kept = [name for name in os.listdir(runs) if is_made(name) and name != run_id] if is_made(run_id) else []
    except OSError:  # no runs yet; what cannot be read is told elsewhere
        return
    if close := nearest(run_id, kept, cutoff=0.9):
        wrong = f'"{run_id}" is no run that is kept here (did you mean "{close}"?)'
        yield finding("continuity_run_id", wrong, f"the id of a run in {runs}, or a name of your own")


def _changed(begun: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    """Inputs that name something else now. One that is left out does not: a run is also found by its source site."""
    for name in SAME_INPUTS:
        then, now = begun.get(name), inputs.get(name)
        if then and now and then != now:
            yield f"{name} {cut(then)} -> {cut(now)}"
    if begun.get("prepare", False) != inputs.get("prepare", False):  # left out, it would move what was to be prepared
        yield f"prepare {str(begun.get('prepare', False)).lower()} -> {str(inputs.get('prepare', False)).lower()}"
    for name, opposite in (("target_site", "source_site"), ("source_site", "target_site")):
        if begun.get(name) and begun.get(name) == inputs.get(opposite) and not inputs.get(name):
            yield f"{name} {cut(begun[name])} -> {opposite} {cut(inputs[opposite])}"
