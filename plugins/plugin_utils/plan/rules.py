# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan must satisfy beyond its shape, as far as the plan alone can tell.

Every rule reads a `Draft` and yields findings. A draft leaves out what has the wrong shape (the schema has reported
it), so the rules find their errors in a broken plan too and a person repairs everything in one go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import DurationError, parse_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.waves import cycles
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.backup_rules import backup_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.depends import service_dependencies
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.endpoint_rules import endpoint_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.engine_rules import engine_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.fence_rules import fence_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import (
    MOST_HINTS,
    SECRET_NAME,
    finding,
    host_problem,
    is_template,
    listed,
    unknown,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.networks import network_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.role_rules import role_rules

RESERVED = {"all", "ungrouped", "localhost"}

_TIER_WORD = re.compile(r"tier-[0-9]+", re.ASCII)

Named = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Draft:
    """The well-formed parts of a plan as written."""

    sites: Named
    functions: Named
    services: Named

    @classmethod
    def of(cls, plan: object) -> Draft:
        """The draft of anything that was read from a file."""
        top = _mapping(plan)
        return cls(*(_named(top.get(section)) for section in ("sites", "functions", "services")))

    @cached_property
    def hosts(self) -> Mapping[str, list[str]]:
        """The machines of every service, in the order of its members."""
        return {
            name: [host for host in map(member_host, _list(service, "members")) if host]
            for name, service in self.services.items()
        }


def plan_findings(plan: object) -> list[str]:
    """Every broken rule of a plan as read from YAML."""
    draft = Draft.of(plan)
    return [text for rule in _RULES for text in rule(draft)]


def member_host(member: object) -> str | None:
    """The machine of a member in either notation, or None when it has none."""
    host = member.get("host") if isinstance(member, Mapping) else member
    return host if isinstance(host, str) else None


def _sites(draft: Draft) -> Iterator[str]:
    preferred = [name for name, site in draft.sites.items() if site.get("use") == "preferred"]
    if draft.sites and len(preferred) != 1:
        found = f"{len(preferred)} sites have use: preferred" if preferred else "no site has use: preferred"
        yield finding("sites", found + (f" ({listed(preferred)})" if preferred else ""), "exactly one")
    for name, site in draft.sites.items():
        if site.get("use") == "recovery" and preferred:
            shared = set(_list(site, "fault_domains"))
            if shared and shared == set(_list(draft.sites[preferred[0]], "fault_domains")):
                yield finding(
                    f"sites.{name}.fault_domains",
                    f"shares all of them with {preferred[0]}: one fault takes both sites",
                    "at least one that differs",
                )
    groups = Counter(site.get("group", name) for name, site in draft.sites.items())
    for name, site in draft.sites.items():
        if groups[site.get("group", name)] > 1:
            yield finding(
                f"sites.{name}.group",
                f'"{site.get("group", name)}" is the group of another site too',
                "a group of its own",
            )


def _networks(draft: Draft) -> Iterator[str]:
    return network_rules(draft.sites)


def _references(draft: Draft) -> Iterator[str]:
    hinted = count()
    for section, entries in (("functions", draft.functions), ("services", draft.services)):
        for name, entry in entries.items():
            for index, other in enumerate(_list(entry, "depends_on")):
                if other not in entries:
                    path = f"{section}.{name}.depends_on[{index}]"
                    yield unknown(path, section[:-1], other, entries, next(hinted) < MOST_HINTS)
    for name, service in draft.services.items():
        function = service.get("function")
        if isinstance(function, str) and function not in draft.functions:
            path = f"services.{name}.function"
            yield unknown(path, "function", function, draft.functions, next(hinted) < MOST_HINTS)


def _cycles(draft: Draft) -> Iterator[str]:
    functions = {name: _list(entry, "depends_on") for name, entry in draft.functions.items()}
    found = cycles(functions)
    for path in found:
        yield finding(f"functions.{path[0]}.depends_on", f"goes in a circle: {' -> '.join(path)}", "no circle")
    if found:
        return  # folded into the services it would be reported again for each of them
    for path in cycles(service_dependencies(draft.functions, draft.services)):
        yield finding(
            f"services.{path[0]}.depends_on",
            f"goes in a circle (with what the functions depend on): {' -> '.join(path)}",
            "no circle",
        )


def _objectives(draft: Draft) -> Iterator[str]:
    for name, function in draft.functions.items():
        yield from _rto_within_mtpd(f"functions.{name}", _mapping(function.get("objectives")))
    for name, service in draft.services.items():
        own = _mapping(service.get("objectives"))
        if own:
            of_function = _mapping(draft.functions.get(str(service.get("function")), {}).get("objectives"))
            yield from _rto_within_mtpd(f"services.{name}", {**of_function, **own})


def _rto_within_mtpd(path: str, objectives: Mapping[str, Any]) -> Iterator[str]:
    rto, mtpd = seconds_or_none(objectives.get("rto")), seconds_or_none(objectives.get("mtpd"))
    if rto is not None and mtpd is not None and rto > mtpd:
        yield finding(
            f"{path}.objectives.rto",
            f"{objectives['rto']} is longer than mtpd {objectives['mtpd']}",
            "rto at most mtpd",
        )


def _names(draft: Draft) -> Iterator[str]:
    """A name must say one thing: service names become hosts, and all of them are words for `-e scope=`."""
    hosts = {host for names in draft.hosts.values() for host in names}
    groups = {site.get("group", name) for name, site in draft.sites.items()}
    taken = {
        "a site": set(draft.sites),
        "a function": set(draft.functions),
        "a machine": hosts,
        "a site's group": groups,
    }
    for name in draft.services:
        for kind, others in taken.items():
            if name in others:
                yield finding(f"services.{name}", f"is also the name of {kind}", "a name of its own")
    for name in draft.functions:
        if name in draft.sites:
            yield finding(f"functions.{name}", "is also the name of a site", "a name of its own")
    for section in ("sites", "functions", "services"):
        for name in getattr(draft, section):
            if name in RESERVED or _TIER_WORD.fullmatch(name):
                yield finding(f"{section}.{name}", "is a reserved word", "any other name")
            if SECRET_NAME.search(name):
                wrong = "is a word for secrets, so everything below it would be kept out of runs and reports"
                yield finding(f"{section}.{name}", wrong, "any other name")


def _members(draft: Draft) -> Iterator[str]:
    for name, hosts in draft.hosts.items():
        for host, times in Counter(hosts).items():
            if times > 1:
                yield finding(f"services.{name}.members", f"{host} is given {times} times", "each machine once")
    for name, service in draft.services.items():
        for index, member in enumerate(_list(service, "members")):
            for key in ("address", "replication_address"):
                address = _mapping(member).get(key)
                problem = host_problem(address) if isinstance(address, str) and not is_template(address) else None
                if problem:
                    path = f"services.{name}.members[{index}].{key}"
                    yield finding(path, f'"{address}" {problem}', "an address without a port, or a template")


def _canaries(draft: Draft) -> Iterator[str]:
    for name, service in draft.services.items():
        if service.get("canary") and not service.get("endpoints"):
            yield finding(f"services.{name}.canary", "writes through an endpoint, and there is none", "endpoints")


def _roles(draft: Draft) -> Iterator[str]:
    services = {name: {**service, "members": _list(service, "members")} for name, service in draft.services.items()}
    yield from role_rules(services)
    yield from engine_rules(services)


def _fences(draft: Draft) -> Iterator[str]:
    return fence_rules(draft.services, draft.hosts)


def _endpoints(draft: Draft) -> Iterator[str]:
    return endpoint_rules({name: _list(service, "endpoints") for name, service in draft.services.items()})


def _backups(draft: Draft) -> Iterator[str]:
    return backup_rules(draft.services, draft.sites)


def seconds_or_none(value: object) -> float | None:
    """Seconds of a duration, or None for what is none (the schema has reported it)."""
    try:
        return parse_duration(value)
    except DurationError:
        return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _named(value: object) -> Named:
    return {
        name: entry for name, entry in _mapping(value).items() if isinstance(name, str) and isinstance(entry, Mapping)
    }


def _list(entry: Mapping[str, Any], key: str) -> list[Any]:
    value = entry.get(key)
    return [item for item in value if isinstance(item, (str, Mapping))] if isinstance(value, list) else []


_RULES: tuple[Callable[[Draft], Iterator[str]], ...] = (
    _sites,
    _networks,
    _references,
    _cycles,
    _objectives,
    _names,
    _members,
    _canaries,
    _roles,
    _fences,
    _endpoints,
    _backups,
)
