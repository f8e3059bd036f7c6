# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator may give to a verb (`-e name=value`), checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import DurationError, parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import FIXED_RULES, WAIVABLE_RULES
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.backup_inputs import backup_findings
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    cut,
    finding,
    listed,
    nearest,
    unknown,
    visible,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.overrides import overrules
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.settings import settings_findings
from ansible_collections.continuity.dr.plugins.plugin_utils.run import checked_run_id

INPUTS = (
    "scope",
    "target_site",
    "source_site",
    "reason",
    "accept_data_loss",
    "waive",
    "confirm",
    "break_lease",
    "outage_started",
)
#: What single verbs take beside them.
OF_ONE_VERB = {
    "switchover": ("prepare",),
    "failback": ("prepare",),
    "drill": ("fault", "dwell"),
    "rights": ("rights_dir", "rights_login"),
    "backup": ("backup_type", "repository", "verify"),
    "restore": ("restore_to", "restore_mode", "restore_on", "timeline", "repository", "restore_controls"),
}
#: Settings of a run: the only variables that begin with `continuity_` and may be given on the command line.
SETTINGS = (
    "continuity_claim_seconds",
    "continuity_outcome_allow_degraded",
    "continuity_progress",
    "continuity_run_id",
    "continuity_runs_dir",
)
#: Variables that would reach every host at once, services and machines alike.
FOR_ALL_HOSTS = ("ansible_connection", "ansible_host")
#: Verbs that only read or render: without a scope they take everything.
READING_VERBS = frozenset({"assess", "report", "rights"})

#: What people write who remember another tool, and the input that is meant.
MEANT = {
    "scope": ("service", "services", "function", "functions", "tier", "limit"),
    "target_site": ("target", "to", "to_site", "destination", "site"),
    "source_site": ("source", "from", "from_site"),
    "reason": ("why", "comment"),
    "accept_data_loss": ("data_loss", "allow_data_loss", "accept_loss", "max_data_loss", "rpo"),
    "waive": ("force", "forced", "ignore", "override", "skip", "waiver", "waivers"),
    "confirm": ("confirmed", "confirmation"),
    "prepare": ("prepared", "prepare_only", "lower_ttl", "lower"),
    "break_lease": ("break", "break_claim", "break_lock", "steal", "take_over", "takeover", "unlock"),
    "outage_started": ("started", "since", "outage", "outage_start"),
}
#: The same for what one verb reads; with another verb such a word may be a variable of one's own.
MEANT_BY_VERB = {
    "report": {
        "continuity_run_id": ("run", "run_id", "run_directory"),
        "continuity_runs_dir": ("runs", "runs_dir", "runs_directory"),
    },
    "rights": {
        "rights_dir": ("dir", "directory", "rights_directory"),
        "rights_login": ("login", "user", "rights_user"),
    },
}
_INPUT_MEANT = {word: name for name, words in MEANT.items() for word in words}

NEAR_MISS = 0.8
CLOCKS_DIFFER_SECONDS = 60.0
LONGEST_OUTAGE_SECONDS = 90 * 86400.0  # beyond it the year or the month is a slip

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def checked_inputs(
    extra: Mapping[str, Any], verb: str, sites: Collection[str] | None, now: float
) -> tuple[dict[str, Any], list[str]]:
    """The inputs of a run (all keys always there, see `Run.inputs`) and every error in them.

    `extra`: the extra variables, filled in. `sites`: None where no plan tells them. `now`: seconds since 1970.
    """
    errors = foreign_findings(extra, verb)
    result: dict[str, Any] = {
        "scope": _words(extra, "scope", errors),
        "target_site": _text(extra, "target_site", errors),
        "source_site": _text(extra, "source_site", errors),
        "reason": _text(extra, "reason", errors),
        "accept_data_loss_seconds": _checked(extra, "accept_data_loss", _bound, errors),
        "waive": _waived(extra, errors),
        "confirm": _text(extra, "confirm", errors),
        "break_lease": _run_to_break(extra, errors),
        "prepare": _yes(extra, "prepare", errors),
        "outage_started": _checked(extra, "outage_started", lambda value: _past_time(value, now), errors),
    }
    for name in ("target_site", "source_site"):
        if sites is not None and result[name] is not None and result[name] not in sites:
            errors.append(unknown(name, "site", result[name], sites))
    if result["target_site"] is not None and result["target_site"] == result["source_site"]:
        errors.append(
            finding("target_site", f'is "{result["source_site"]}", the source_site too', "two different sites")
        )
    given_away = {"waive": "a waived rule", "break_lease": "breaking what another run holds"}
    for name, what in given_away.items():
        if result[name] and result["reason"] is None:
            errors.append(finding("reason", f"is missing: {what} needs one, it stands in the report", "-e reason=..."))
    if result["scope"] is None and result["source_site"] is None and verb in READING_VERBS:
        result["scope"] = "all"
    return result, errors


def foreign_findings(extra: Mapping[str, Any], verb: str) -> list[str]:
    """Variables that are no input: unknown settings, slips of the pen, and what would reach every host or role."""
    errors = []
    inputs = INPUTS + OF_ONE_VERB.get(verb, ())
    of_others = {name: other for other, names in OF_ONE_VERB.items() for name in names if name not in inputs}
    words = _INPUT_MEANT | {word: meant for meant, said in MEANT_BY_VERB.get(verb, {}).items() for word in said}
    for name in map(str, extra):
        if name.lower().startswith("continuity_") and name not in SETTINGS:
            errors.append(unknown(name, "setting", name, SETTINGS))
        elif name in FOR_ALL_HOSTS:
            errors.append(finding(name, "would be set for every service and machine", "set it in the inventory"))
        elif name in of_others:
            errors.append(finding(name, f"is an input of {of_others[name]}, {verb} does not read it", listed(inputs)))
        elif overrules(name):
            errors.append(finding(name, "would overrule what the verb works out for each service", "not to give it"))
        elif name not in inputs and name not in SETTINGS:
            meant = words.get(name.lower()) or nearest(name, inputs, NEAR_MISS)
            if meant:
                known = SETTINGS if meant in SETTINGS else inputs
                errors.append(finding(name, f'unknown input (did you mean "{meant}"?)', listed(known)))
    if verb == "drill":
        _checked(extra, "dwell", _duration, errors)
    errors += backup_findings(extra, verb)
    return errors + settings_findings(extra)


def _text(extra: Mapping[str, Any], name: str, errors: list[str]) -> str | None:
    value = extra.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        empty = value in ("", []) or (isinstance(value, str) and not value.strip())
        errors.append(finding(name, "is empty" if empty else f"{shown(value)} is not text", f"-e {name}=..."))
        return None
    text = " ".join(value.split())
    if not text.isprintable():
        errors.append(finding(name, f'"{cut(text)}" holds a character that cannot be seen', f"-e {name}=..."))
        return None
    return text


def _yes(extra: Mapping[str, Any], name: str, errors: list[str]) -> bool:
    value = extra.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    words = {"true": True, "yes": True, "false": False, "no": False}
    if str(value).lower() not in words:
        errors.append(finding(name, f"{shown(value)} is neither true nor false", f"-e {name}=true"))
    return words.get(str(value).lower(), False)


def _run_to_break(extra: Mapping[str, Any], errors: list[str]) -> str | None:
    """The id of another run, typed: a yes, or the own id, would break nothing that anybody looked at."""
    name = _text(extra, "break_lease", errors)
    if name is None:
        return None
    allowed = "the id of the run that holds it, as the refusal names it"
    if name == extra.get("continuity_run_id"):
        errors.append(
            finding("break_lease", f'"{cut(name)}" is this run itself', f"{allowed}; without continuity_run_id")
        )
        return None
    try:
        return checked_run_id(name)
    except ValueError:
        errors.append(finding("break_lease", f'"{cut(name)}" is not a run id', allowed))
        return None


def _words(extra: Mapping[str, Any], name: str, errors: list[str]) -> str | None:
    """One or several names, as text with commas or as a list, brought into the one form `a,b`."""
    value = extra.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        value = ",".join(value)
    text = _text({name: value}, name, errors)
    return ",".join(word.strip() for word in text.split(",")) if text else None


def _checked(extra: Mapping[str, Any], name: str, check: Callable[[Any], float], errors: list[str]) -> float | None:
    if extra.get(name) is None:
        return None
    try:
        return check(extra[name])
    except ValueError as error:
        errors.append(visible(f"{name}: {error}"))
        return None


def shown(value: object) -> str:
    """A value as the operator may have typed it: a mapping may hold a secret, so it is only named."""
    if isinstance(value, bool):
        return f'"{str(value).lower()}"'
    return "a mapping" if isinstance(value, Mapping) else f'"{cut(value)}"'


def _duration(value: object) -> float:
    try:
        return parse_duration(value)
    except DurationError as error:
        raise ValueError(f"{shown(value)}: {error.problem}") from None


def _bound(value: object) -> float:
    try:
        return parse_duration(value)
    except DurationError:
        raise ValueError(
            f"{shown(value)} is no bound; allowed: the longest time whose acknowledged writes may be lost, "
            "for example 30s"
        ) from None


def _past_time(value: object, now: float) -> float:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    try:
        seconds = datetime.fromisoformat(text.upper()).timestamp() if _RFC3339.fullmatch(text) else None
    except (ValueError, OverflowError):  # the 30th of February, the hour 25
        seconds = None
    if seconds is None:
        raise ValueError(f"{shown(text)} is no time; allowed: date, time and zone, for example 2026-11-22T03:15:00Z")
    here = datetime.fromtimestamp(now, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if seconds > now + CLOCKS_DIFFER_SECONDS:
        raise ValueError(f'"{text}" lies in the future; allowed: a time before {here}')
    if seconds < now - LONGEST_OUTAGE_SECONDS:
        raise ValueError(f'"{text}" lies more than 90 days back; allowed: a time before {here}, of this outage')
    return seconds


def _waived(extra: Mapping[str, Any], errors: list[str]) -> tuple[str, ...]:
    value = extra.get("waive")
    if value is None or value == []:
        return ()
    if isinstance(value, str) and not value.strip():
        errors.append(finding("waive", "is empty", listed(sorted(WAIVABLE_RULES))))
        return ()
    words = value.strip(" []").split(",") if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        errors.append(finding("waive", f"{shown(value)} is no list of rules", listed(sorted(WAIVABLE_RULES))))
        return ()
    names = [word.strip(" '\"") for word in words]
    if "" in names:
        errors.append(finding("waive", "holds an empty name, look at its commas", listed(sorted(WAIVABLE_RULES))))
    errors += [_not_waivable(name) for name in names if name and name not in WAIVABLE_RULES]
    return tuple(dict.fromkeys(names))


def _not_waivable(name: str) -> str:
    """A rule that exists gets no suggestion: the nearest name may be one that gives away much more."""
    if name not in FIXED_RULES:
        return unknown("waive", "rule", name, sorted(WAIVABLE_RULES))
    why = "it is a fact, not a rule of caution"
    if name == "lag_over_rpo":
        why = "accept a bound with -e accept_data_loss=<duration>"
    return finding("waive", f"{name} cannot be waived: {why}", listed(sorted(WAIVABLE_RULES)))
