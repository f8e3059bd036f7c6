# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about fences that the plan alone can tell: one that could never prove anything is found before it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, listed
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.role_rules import OWN_ROLES

NETWORK = f"{OWN_ROLES}fence_network"
VANTAGES = 2


def fence_rules(services: Mapping[str, Mapping[str, Any]], hosts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every broken rule. `hosts`: the machines of every service."""
    for name, service in services.items():
        written = service.get("fence")
        for index, fence in enumerate(written if isinstance(written, list) else [written]):
            if isinstance(fence, Mapping) and fence.get("role") == NETWORK:
                place = f"[{index}]" if isinstance(written, list) else ""
                yield from _network(f"services.{name}.fence{place}", fence, hosts[name])


def _network(path: str, fence: Mapping[str, Any], hosts: Sequence[str]) -> Iterator[str]:
    """Each member has guards, and two machines beside it and them that can see it closed."""
    members, vantages = fence.get("members"), fence.get("vantages")
    for host in dict.fromkeys(hosts):
        own = members.get(host) if isinstance(members, Mapping) else None
        guards = own.get("guards") if isinstance(own, Mapping) else None
        if not guards:
            yield finding(f"{path}.members.{host}.guards", "is missing", "the machines that its clients' packets pass")
        if isinstance(guards, str) or isinstance(vantages, str):  # a template
            continue
        left = [each for each in dict.fromkeys(vantages or ()) if each not in (host, *(guards or ()))]
        if len(left) < VANTAGES:
            wrong = f"leaves {len(left)} to look at {host}: {listed(left)}"
            yield finding(f"{path}.vantages", wrong, f"{VANTAGES} or more that are neither it nor one of its guards")
