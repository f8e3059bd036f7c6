# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print the sudoers lines that the members of a plan need: python tests/tools/sudo_rules.py PLAN LOGIN."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build" / "collections"))

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd  # noqa: E402 the path above comes first
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import (  # noqa: E402 the path above comes first
    Cluster,
    Upstream,
    sudo_rules,
)


def members_of(service: dict[str, Any]) -> list[dict[str, Any]]:
    """The members with what the engine says for all of them."""
    common = {key: value for key, value in service["engine"].items() if key != "role"}
    return [common | ({"host": member} if isinstance(member, str) else member) for member in service["members"]]


def rules_of(plan: dict[str, Any], login: str) -> list[str]:
    """Every rule for every member; a member may be given the union, its commands name its own directories."""
    lines: list[str] = []
    for service in plan["services"].values():
        members = members_of(service)
        for member in members:
            cluster = Cluster.from_member(member)
            peers = [Upstream.from_member(peer) for peer in members if peer["host"] != member["host"]]
            lines += sudo_rules(cluster, peers, login) + systemd.sudo_rules([cluster.unit], login)
    return sorted(set(lines))


if __name__ == "__main__":
    print("\n".join(rules_of(yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2])))
