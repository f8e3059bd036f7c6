# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A correct plan as the variables that everything else reads: `continuity_plan` and `continuity_service`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import DEFAULT_MIN_LEVEL
from ansible_collections.continuity.dr.plugins.plugin_utils.core.hold_off import DEFAULT_HOLD_OFF
from ansible_collections.continuity.dr.plugins.plugin_utils.core.waves import waves
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.depends import service_dependencies

CANARY_MAX_ROWS = 100_000
DNS_DEFAULTS = {"type": "A", "port": 53}
KEY_ALGORITHM = "hmac-sha256"

Entry = Mapping[str, Any]


def digest(plan: object) -> str:
    """`sha256:...` over the canonical JSON of the plan as written. Secrets are templates or ciphertext there."""
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return "sha256:" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def resolved_plan(plan: Entry, services: Mapping[str, Entry]) -> dict[str, Any]:
    """`continuity_plan` of a plan without errors. `services`: its resolved services."""
    head = plan["plan"]
    allowances = head.get("allowances") or {}
    return {
        "id": head["id"],
        "title": head.get("title", head["id"]),
        "environment": head["environment"],
        "owner": head.get("owner"),
        "version": head.get("version"),
        "allowances": {f"{name}_seconds": _seconds(allowances.get(name)) or 0.0 for name in ("detection", "decision")},
        "review": _with_seconds(head["review"], "every") if head.get("review") else None,
        "digest": digest(plan),
        "sites": {name: {**site, "group": site.get("group", name)} for name, site in plan["sites"].items()},
        "functions": {name: _function(name, function) for name, function in plan["functions"].items()},
        "waves": _in_waves(services),
        "errors": [],
    }


def resolved_services(plan: Entry) -> dict[str, dict[str, Any]]:
    """`continuity_service` of every service of a plan without errors, by name, in the order of the plan."""
    functions, services = plan["functions"], plan["services"]
    depends_on = service_dependencies(functions, services)
    wave = {name: number for number, names in enumerate(waves(depends_on), 1) for name in names}
    result = {}
    for name, service in services.items():
        function = functions[service["function"]]
        engine = service["engine"]
        result[name] = {
            "name": name,
            "title": service.get("title", name),
            "function": service["function"],
            "tier": function["tier"],
            "objectives": _objectives({**function["objectives"], **(service.get("objectives") or {})}),
            "engine": engine,
            "members": [_member(member, engine) for member in service["members"]],
            "endpoints": [_endpoint(endpoint) for endpoint in service.get("endpoints") or ()],
            "fences": fences(service),
            "min_level": min_level(service),
            "hold_off_seconds": parse_duration(service.get("hold_off", plan["plan"].get("hold_off", DEFAULT_HOLD_OFF))),
            "witnesses": list(service.get("witnesses") or ()),
            "backup": _with_seconds(service["backup"], "every") if service.get("backup") else None,
            "canary": _canary(service["canary"]) if service.get("canary") else None,
            "depends_on": depends_on[name],
            "wave": wave[name],
        }
    return result


def fences(service: Entry) -> list[dict[str, Any]]:
    """The fences of a service as written, in order, each with a name that its evidence is kept under."""
    result: list[dict[str, Any]] = []
    for entry in _fence_entries(service):
        name = entry["role"].rpartition(".")[2]
        before = sum(each["role"] == entry["role"] for each in result)
        result.append({**entry, "name": f"{name}_{before + 1}" if before else name})
    return result


def min_level(service: Entry) -> int:
    """The weakest evidence that counts: the highest that any of the fences asks for."""
    given = [int(entry["min_level"]) for entry in _fence_entries(service) if "min_level" in entry]
    return max(given, default=DEFAULT_MIN_LEVEL)


def _fence_entries(service: Entry) -> list[Entry]:
    written = service.get("fence") or []
    return [written] if isinstance(written, Mapping) else list(written)


def _in_waves(services: Mapping[str, Entry]) -> list[list[str]]:
    result: list[list[str]] = [[] for _unused in range(max((entry["wave"] for entry in services.values()), default=0))]
    for name, entry in services.items():
        result[entry["wave"] - 1].append(name)
    return result


def _function(name: str, function: Entry) -> dict[str, Any]:
    return {
        "title": function.get("title", name),
        "tier": function["tier"],
        "owner": function.get("owner"),
        "objectives": _objectives(function["objectives"]),
        "depends_on": list(function.get("depends_on") or ()),
    }


def _objectives(written: Entry) -> dict[str, float | None]:
    return {f"{name}_seconds": _seconds(written.get(name)) for name in ("rto", "rpo", "mtpd")}


def _member(member: str | Entry, engine: Entry) -> dict[str, Any]:
    """What the engine says for all members, overlaid with what the member says of itself."""
    own = {"host": member} if isinstance(member, str) else member
    common = {key: value for key, value in engine.items() if key != "role"}
    return {"host": own["host"], **common, **own}


def _endpoint(endpoint: Entry) -> dict[str, Any]:
    result = _with_seconds(_with_seconds(endpoint, "ttl"), "move_ttl")
    if "zone" not in endpoint:
        return result
    for name in ("ttl_seconds", "move_ttl_seconds"):
        if name in result:
            result[name] = int(result[name])  # a record holds whole seconds; the rules have checked it
    result = {**DNS_DEFAULTS, **result, "name": endpoint["name"].lower(), "zone": endpoint["zone"].lower()}
    if isinstance(endpoint.get("key"), Mapping):
        result["key"] = {"algorithm": KEY_ALGORITHM, **endpoint["key"]}
    return result


def _canary(canary: Entry) -> dict[str, Any]:
    result = _with_seconds({"max_rows": CANARY_MAX_ROWS, **canary}, "stable_for")
    if "max_duration" in result:
        result["max_seconds"] = _seconds(result.pop("max_duration"))
    return result


def _with_seconds(entry: Entry, key: str) -> dict[str, Any]:
    """The entry with the duration `key`, where it is given, replaced by `<key>_seconds`."""
    rest = {name: value for name, value in entry.items() if name != key}
    return {**rest, f"{key}_seconds": _seconds(entry[key])} if key in entry else rest


def _seconds(value: object) -> float | None:
    return None if value is None else parse_duration(value)
