# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which services a run is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.groups import ALL_SERVICES, group_name
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, listed, unknown

EVERYTHING = "all"

_TIER = re.compile(r"tier[-_ ]?([0-9]+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Choices:
    """What can be chosen: the services by name, function, tier and site."""

    groups: Mapping[str, Sequence[str]]
    """the hosts of every inventory group"""
    functions: Collection[str]
    sites: Collection[str]
    sites_of: Callable[[str], Collection[str]]
    """the sites where a service has a member; asked only when a site is named, since that reads every service"""

    @property
    def services(self) -> Sequence[str]:
        """All services, in the order of the plan."""
        return self.groups.get(ALL_SERVICES, ())

    def of(self, word: str) -> Collection[str] | None:
        """The services that a word of a scope names, or None for a word that nobody knows."""
        if word == EVERYTHING:
            return self.services
        if word in self.sites:
            return [name for name in self.services if word in self.sites_of(name)]
        if word in self.functions:
            return self.groups.get(group_name("function", word), ())
        tier = _TIER.fullmatch(word)
        if tier:
            return self.groups.get(group_name("tier", int(tier[1])))
        return [word] if word in self.services else None

    @property
    def words(self) -> list[str]:
        """Every word that a scope may hold."""
        tiers = sorted(name.removeprefix(group_name("tier", "")) for name in self.groups if _is_tier(name))
        return [EVERYTHING, *self.services, *self.functions, *(f"tier-{tier}" for tier in tiers), *self.sites]


def chosen_services(inputs: Mapping[str, Any], choices: Choices) -> tuple[list[str], list[str]]:
    """The services of a run in the order of the plan, and every error in what was asked for.

    `scope` and `source_site` narrow each other. `target_site` must have a member of at least one chosen service.
    """
    scope, source, target = inputs["scope"], inputs["source_site"], inputs["target_site"]
    if scope is None and source is None:
        return [], [finding("scope", "is missing: give -e scope=... or -e source_site=...", listed(choices.words))]
    words = scope.split(",") if scope is not None else [EVERYTHING]
    found = {word: choices.of(word) for word in words}
    errors = [unknown("scope", "scope", word, choices.words) for word, names in found.items() if names is None]
    chosen = {name for names in found.values() for name in names or ()}
    if source is not None:
        chosen = {name for name in chosen if source in choices.sites_of(name)}
    if not chosen and not errors:
        where = f" with a member in {source}" if source is not None else ""
        errors.append(finding("scope", f'no service is in "{scope or EVERYTHING}"{where}', listed(choices.words)))
    able = [site for site in choices.sites if any(site in choices.sites_of(name) for name in chosen)] if target else []
    if chosen and target in choices.sites and target not in able:
        errors.append(finding("target_site", f'no chosen service has a member in "{target}"', listed(able)))
    return [name for name in choices.services if name in chosen], errors


def wave_sizes(services: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many of the services, given in wave order, are in each wave: what `serial` of a play takes."""
    sizes: dict[int, int] = {}
    for service in services:
        sizes[service["wave"]] = sizes.get(service["wave"], 0) + 1
    return list(sizes.values())


def _is_tier(group: str) -> bool:
    return group.removeprefix(group_name("tier", "")).isdigit()
