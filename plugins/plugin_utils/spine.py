# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Between the plan, what was observed, and the pure decision: gather one service's view, keep what was seen."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import journal, questions
from ansible_collections.continuity.dr.plugins.plugin_utils.address import networks_of, own_address, site_of
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import (
    DEFAULT_MIN_LEVEL,
    Evidence,
    Sighting,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EndpointView,
    LastSeen,
    Observation,
    Request,
    Service,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View
from ansible_collections.continuity.dr.plugins.plugin_utils.run import LAST_SEEN, Run, checked_run_id


def service_of(run: Run, name: str) -> Service:
    """The part of the plan a decision needs."""
    plan = run.services[name]
    preferred = [site for site, values in run.plan["sites"].items() if values.get("use") == "preferred"]
    return Service(
        name=name,
        rpo_seconds=float(plan["objectives"]["rpo_seconds"]),
        sites={member["host"]: member["site"] for member in plan["members"]},
        preferred_site=preferred[0] if preferred else "",
        endpoints=tuple(endpoint["name"] for endpoint in plan["endpoints"]),
        fences=tuple(fence["name"] for fence in plan.get("fences") or ()),
        min_level=int(plan.get("min_level", DEFAULT_MIN_LEVEL)),
        hold_off_seconds=float(plan.get("hold_off_seconds") or 0.0),
        unwatched=tuple(member["host"] for member in plan["members"] if not questions.looked_at(member)),
        inside=_inside(run, plan) if run.verb == "assess" else {},
    )


def _inside(run: Run, plan: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """By site what a failover out of it needs and what lives in it, as far as the plan tells the sites' networks."""
    networks = networks_of(run.plan["sites"])
    found: dict[str, list[str]] = {}
    for endpoint in plan["endpoints"]:
        servers = list(endpoint.get("servers") or ()) if endpoint.get("zone") else []
        where = {site_of(server, networks) for server in servers}
        if len(where) == 1 and (site := where.pop()):
            name = f"{endpoint['name']}: the name server {', '.join(servers)}, which keeps its claims,"
            found.setdefault(site, []).append(name)
    for site in networks:
        # A machine with an address in each site is in neither: what counts is the way to the members of the others
        elsewhere = [member["address"] for member in plan["members"] if member["site"] != site]
        own = {own_address(address) for address in elsewhere} - {None}
        if own and all(site_of(address, {site: networks[site]}) for address in own):
            found.setdefault(site, []).append(f"this controller, {', '.join(sorted(map(str, own)))},")
    return {site: tuple(what) for site, what in found.items()}


def request_of(run: Run, name: str, verb: str, now: float) -> Request:
    """What the operator asked for, as the decision about a service reads it."""
    inputs = run.inputs
    return Request(
        verb=verb,
        run_id=run.run_id,
        now=now,
        target_site=inputs.get("target_site"),
        source_site=inputs.get("source_site"),
        accept_data_loss_seconds=inputs.get("accept_data_loss_seconds"),
        waive=tuple(inputs.get("waive") or ()),
        reason=str(inputs.get("reason") or ""),
        outage_started=inputs.get("outage_started"),
        confirm=inputs.get("confirm"),
        confirm_refused_at=_refused_at(run, inputs.get("confirm"), name),
        break_lease=inputs.get("break_lease"),
        drill=run.verb == "drill",
        prepare=bool(inputs.get("prepare")),
    )


def _refused_at(run: Run, named: str | None, name: str) -> float | None:
    """When a run of that name, of the same verb and kept beside this one, ended with refusing this service."""
    try:
        directory = Path(run.directory).parent / checked_run_id(named or "")
        if json.loads((directory / "run.json").read_text(encoding="utf-8"))["verb"] != run.verb:
            return None
        ends = list(journal.read(journal.path_of(directory, name), steps=("outcome",)))
        return datetime.fromisoformat(ends[-1]["time"]).timestamp() if ends[-1]["state"] == "refused" else None
    except (OSError, LookupError, ValueError, TypeError):  # no id, none of that name, or nothing of it can be read
        return None


def view_of(run: Run, name: str, hostvars: Mapping[str, Any], endpoints: Mapping[str, Mapping[str, Any]]) -> View:
    """Collect what each member and each endpoint said; a member that said nothing in this run was not reachable."""
    observed = {}
    for member in run.services[name]["members"]:
        host = member["host"]
        facts = (hostvars[host].get("ansible_facts") or {}).get("continuity_observed") or {}
        said = facts.get(name)
        silent = Observation(member=host, site=member["site"], address=member["address"])
        seen = Observation.from_dict(said) if said else silent
        # A fact cache keeps what another run was told
        observed[host] = silent if seen.asked is not None and seen.asked < run.started else seen
    # What an earlier stage of this run was told of a member does not hold for this one
    since = min((seen.asked for seen in observed.values() if seen.asked is not None), default=run.started)
    own = hostvars[name]
    return View(
        service_of(run, name),
        observed,
        tuple(_endpoints(run, name, endpoints)),
        last_seen(run, name),
        _evidence(own, since),
        tuple(_sightings(own, since)),
    )


def _evidence(own: Mapping[str, Any], since: float) -> dict[str, tuple[Evidence, ...]]:
    """What the fences said of each member, from the service's own facts."""
    found: dict[str, tuple[Evidence, ...]] = {}
    for said in ((own.get("ansible_facts") or {}).get("continuity_fence_evidence") or {}).values():
        evidence = Evidence.from_dict(said)
        if evidence.time is not None and evidence.time >= since:
            found[evidence.member] = (*found.get(evidence.member, ()), evidence)
    return found


def _sightings(own: Mapping[str, Any], since: float) -> Iterable[Sighting]:
    """Machines to which a member answered that the controller cannot reach."""
    for result in (own.get("continuity_sightings") or {}).get("results") or ():
        for look in (result, result.get("controller") or {}):
            if look.get("alive") and float(result.get("time") or 0) >= since:
                yield Sighting(str(look["vantage"]), str(result["member"]), str(look["text"]))


def _endpoints(run: Run, name: str, said: Mapping[str, Mapping[str, Any]]) -> Iterable[EndpointView]:
    for endpoint in run.services[name]["endpoints"]:
        answer = said.get(endpoint["name"])
        if not answer or not answer.get("reachable"):
            reason = (answer or {}).get("reason") or "not asked"
            # Who answers that it does not hold the zone is there: the plan is wrong, and no waiver makes it right
            answered = reason == "not_authoritative"
            problem = "; ".join(p["message"] for p in answer["problems"]) if answer and answered else str(reason)
            yield EndpointView(endpoint["name"], reachable=answered, problem=problem)
            continue
        claim = answer.get("claim") or {}
        open_claim = claim.get("state") == "claimed"
        yield EndpointView(
            name=endpoint["name"],
            reachable=True,
            problem="; ".join(p["message"] for p in answer.get("problems") or ()),
            values=tuple(answer.get("value") or ()),
            epoch=int(claim.get("epoch") or 0),
            claim_run=claim.get("run_id") if open_claim else None,
            claim_owner=claim.get("owner") if open_claim else None,
            claim_seconds_left=float(claim.get("seconds_left") or 0.0),
            moved=_moved(claim),
            ttl=answer.get("ttl"),
            planned_ttl=endpoint.get("ttl_seconds"),
            move_ttl=endpoint.get("move_ttl_seconds"),
            cached_seconds=float(claim.get("cached_seconds") or 0.0),
        )


def _moved(claim: Mapping[str, Any]) -> dict[str, Any] | None:
    """The last move of the record, told by a claim that was closed with it."""
    if claim.get("state") != "switched":
        return None
    try:
        at = datetime.fromisoformat(str(claim.get("until"))).timestamp()
    except ValueError:
        at = None
    return {"time": at, "run_id": claim.get("run_id")}


def _last_seen_path(run: Run, name: str) -> Path:
    return Path(run.directory).parent / LAST_SEEN / f"{name}.json"


def last_seen(run: Run, name: str) -> LastSeen | None:
    """The newest sight of a primary that an earlier run kept on this controller."""
    try:
        data = json.loads(_last_seen_path(run, name).read_text(encoding="utf-8"))
        position = None if data["position"] is None else int(data["position"])
        timeline = None if data.get("timeline") is None else int(data["timeline"])
        system_id = None if data.get("system_id") is None else str(data["system_id"])
        ahead = None if data.get("clock_ahead") is None else float(data["clock_ahead"])
        seen, member, followers = float(data["time"]), str(data["member"]), dict(data["followers"])
        return LastSeen(seen, member, position, followers, timeline, system_id, ahead)
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or cut off while it was written
        return None


def remember(run: Run, name: str, primary: Observation | None) -> None:
    """Keep the sight of a service's primary for the day on which it is dead; a newer one is not replaced.

    One from the future is: the clock was wrong then, and no true sight would be newer for as long. The time is when
    the member was asked, or, where that was not kept, the beginning of the run: how much may be lost is counted from
    it, and a later time would count too little.
    """
    if primary is None or not primary.is_primary:
        return
    seen, known = primary.asked or run.started, last_seen(run, name)
    if known is not None and seen < known.time <= time.time():
        return
    data = {
        "time": seen,
        "member": primary.member,
        "position": primary.position,
        "followers": dict(primary.followers),
        "timeline": primary.timeline,
        "system_id": primary.system_id,
        "clock_ahead": primary.clock_ahead,
        "run_id": run.run_id,
    }
    write_json(_last_seen_path(run, name), data)


def verified(name: str, facts: Mapping[str, Any]) -> Observation | None:
    """What the engine's last look at one member of the service left behind on the service's host."""
    said = (facts.get("continuity_observed") or {}).get(name)
    return Observation.from_dict(said) if said else None


def write_run(run: Run) -> None:
    """What this run is, for the report; written once, before anything is changed."""
    path = Path(run.directory) / "run.json"
    if path.exists():
        return
    kept = ("id", "title", "environment", "digest", "allowances", "sites")
    services = {
        name: {key: service.get(key) for key in ("function", "tier", "objectives", "depends_on", "wave")}
        | {
            "members": [{k: m.get(k) for k in ("host", "site", "address")} for m in service["members"]],
            "endpoints": [endpoint["name"] for endpoint in service["endpoints"]],
            "canary": bool(service.get("canary")),
        }
        for name, service in run.services.items()
    }
    write_json(
        path,
        {
            "schema": 1,
            "run_id": run.run_id,
            "verb": run.verb,
            "check_mode": run.check_mode,
            "operator": run.operator,
            "reason": run.inputs.get("reason"),
            "started": run.started,
            "started_monotonic_ns": run.started_monotonic_ns,
            "plan": {key: run.plan.get(key) for key in kept},
            "services": services,
            "inputs": {key: list(value) if isinstance(value, tuple) else value for key, value in run.inputs.items()},
            "allow_degraded": list(run.allow_degraded),
            "inventory": list(run.inventory),
            "options": list(run.options),
        },
    )


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a file as a whole or not at all; several workers may write the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(json.dumps(data, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")
    new.replace(path)
