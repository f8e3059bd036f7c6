# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules for bringing members back as replicas of the primary."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import fencing
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View


def unmet(view: View) -> Iterator[Refusal]:
    """A member rejoins the one primary that clients are sent to."""
    primary = view.primary
    if primary is None:
        if not view.primaries:
            yield Refusal(
                "no_primary",
                "none runs",
                "one running primary",
                "there is no primary to follow",
                "run failover, or start the primary",
            )
        return
    if not view.endpoints_hold(primary.address):
        values = ", ".join(value for endpoint in view.endpoints for value in endpoint.values) or "nothing"
        silent = ", ".join(endpoint.name for endpoint in view.endpoints if not endpoint.reachable)
        unknown = silent and view.reachable_endpoints_hold(primary.address)
        yield Refusal(
            "endpoint_elsewhere",
            f"{silent} was not asked" if unknown else values,
            primary.address,
            f"nobody knows where {silent} sends clients" if unknown else f"clients are not sent to {primary.member}",
            "restore its name server, then run rejoin again" if unknown else "finish the failover first: run it again",
        )
    missing = view.not_following(primary)
    # While another one follows or can be brought back there is redundancy, and the lost ones are named beside it
    if all(not other.reachable and not fencing.switched_off(view, other) for other in view.others(primary)):
        for other in missing:
            yield Refusal(
                "member_unreachable",
                "no answer",
                "an answer",
                f"{other.member} cannot be reached",
                "bring the machine back; its database stays fenced until it rejoins",
            )
