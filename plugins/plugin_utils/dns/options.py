# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the steps, checked together: all that is wrong is told at once, before anything is contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import MARGIN_SECONDS, RUN_ID, clean_owner
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Target, fail_on, read_target
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.switch_rules import Expected, Purpose, Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.values import check_ttl, check_values, shown
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.verify import Goal

#: The longest claim: one that nobody gives back keeps every other run out for so long.
CLAIM_SECONDS_LIMITS = (int(2 * MARGIN_SECONDS), 3600)
DEADLINE_LIMITS = (0.1, 3600.0)
#: States of dns_switch that change the time to live alone.
TTL_ONLY: Mapping[str, Purpose] = {"prepared": "lower", "restored": "restore"}


def read_observation(args: Mapping[str, Any]) -> Target:
    """Options of dns_answer_info."""
    problems: list[str] = []
    target = read_target(args, problems, key_required=False)
    fail_on(problems)
    return target


def read_claim(args: Mapping[str, Any], default_owner: str) -> tuple[Target, Claimant]:
    """Options of dns_claim."""
    problems: list[str] = []
    target = read_target(args, problems, key_required=args["state"] != "observed")
    run_id, seconds = args.get("run_id") or "", args.get("claim_seconds") or 120
    if run_id or args["state"] != "observed":
        _check_run_id(run_id, problems)
    low, high = CLAIM_SECONDS_LIMITS
    if not low <= seconds <= high:
        problems.append(f"claim_seconds: {seconds} is not allowed; allowed: {low}..{high}")
    minimum = args.get("minimum_epoch") or 0
    if minimum < 0:
        problems.append(f"minimum_epoch: {minimum} is below 0")
    broken = args.get("break_run") or None
    if broken is not None:
        _check_run_id(broken, problems, "break_run")
    fail_on(problems)
    owner = clean_owner(args.get("owner") or default_owner)
    observed, epoch = args.get("observed_epoch"), args.get("epoch")
    return target, Claimant(run_id, owner, float(seconds), minimum, observed, broken, epoch)


def read_switch(args: Mapping[str, Any]) -> tuple[Target, Wanted]:
    """Options of dns_switch with a state that changes the record."""
    problems: list[str] = []
    target = read_target(args, problems, key_required=True)
    values = _values(args, target, problems)
    purpose = TTL_ONLY.get(str(args.get("state")), "move")
    expected = Expected("set", values) if purpose != "move" else _expected(args, target, problems)
    ttl = None if args.get("ttl") is None else check_ttl("ttl", args["ttl"], problems)
    if purpose != "move" and ttl is None:
        problems.append(f"ttl is missing: give the time to live that state {args['state']} is to leave")
    run_id, epoch = args.get("run_id"), args.get("epoch")
    if (run_id is None) != (epoch is None):
        problems.append("run_id and epoch belong together: give both (what the claim returned) or neither")
    if run_id is not None:
        _check_run_id(run_id, problems)
    if args.get("guard") and run_id is None:
        problems.append("guard is the text of this run's claim: give run_id and epoch with it")
    _check_deadline(args, problems)
    fail_on(problems)
    return target, Wanted(values, expected, ttl, run_id, epoch, purpose)


def read_verification(args: Mapping[str, Any]) -> tuple[Target, Goal]:
    """Options of dns_switch with state verified."""
    problems: list[str] = []
    target = read_target(args, problems, key_required=False)
    values = _values(args, target, problems)
    require = _require(args.get("require"), problems)
    _check_deadline(args, problems)
    fail_on(problems)
    serial, previous_ttl = args.get("serial"), args.get("previous_ttl")
    return target, Goal(values, require, args.get("deadline") or 30.0, serial, previous_ttl)


def _values(args: Mapping[str, Any], target: Target, problems: list[str]) -> tuple[str, ...]:
    rtype = args["type"]
    if rtype == "CNAME" and target.name == target.zone:
        problems.append(f"type: an alias (CNAME) cannot stand at the zone's apex {target.zone}; use A or AAAA")
    return check_values("value", rtype, args.get("value") or (), target.name, problems)


def _expected(args: Mapping[str, Any], target: Target, problems: list[str]) -> Expected:
    given = args.get("expected")
    if given == "any":
        if not (args.get("expected_reason") or "").strip():
            problems.append("expected_reason is missing: 'any' overwrites whatever is there, say why that is right")
        return Expected("any")
    if given == "absent":
        return Expected("absent")
    if given is None or given == []:
        problems.append("expected is missing: give the values the record holds now, 'absent', or 'any' with a reason")
        return Expected("absent")
    values = given if isinstance(given, list) else [given]
    return Expected("set", check_values("expected", args["type"], values, target.name, problems, to_write=False))


def _require(given: Any, problems: list[str]) -> int | None:
    text = str(given if given is not None else "all")
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        problems.append(f"require: {shown(given)} is neither 'all' nor a number of servers from 1")
        return None
    return int(text)


def _check_run_id(run_id: str, problems: list[str], option: str = "run_id") -> None:
    if not RUN_ID.fullmatch(run_id):
        problems.append(
            f"{option}: {shown(run_id)} is not allowed; allowed are 1..64 letters, digits, '.', '_' and '-'"
        )


def _check_deadline(args: Mapping[str, Any], problems: list[str]) -> None:
    low, high = DEADLINE_LIMITS
    deadline = args.get("deadline")
    if deadline is not None and not low <= deadline <= high:
        problems.append(f"deadline: {deadline:g} is not allowed; allowed: {low:g}..{high:g} seconds")
