# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules that every verb must meet. Each unmet one is a Refusal: what was measured, the limit, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.continuity.dr.plugins.plugin_utils.core import holding, lineage
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import (
    EVERY_VERB,
    TOLD,
    Observation,
    Refusal,
    Request,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View


def endpoints(view: View, request: Request) -> Iterator[Refusal]:
    """The arbiter must answer and nobody else may hold the claim."""
    for endpoint in view.endpoints:
        if not endpoint.reachable:
            yield Refusal(
                "arbiter_unreachable",
                endpoint.problem or "no answer",
                "an answer",
                f"the name server of {endpoint.name} cannot be asked, so a second operator cannot be kept out",
                "restore the name server, or waive it by name",
            )
        elif endpoint.problem:
            yield Refusal(
                "endpoint_problem",
                endpoint.problem,
                "an endpoint that can be changed",
                f"{endpoint.name} could not be switched",
                "mend it, then run the verb again",
            )
        elif endpoint.claim_run and endpoint.claim_run != request.run_id and endpoint.claim_seconds_left > 0:
            yield Refusal(
                "claim_held",
                f"{endpoint.claim_run} by {endpoint.claim_owner}",
                "no open claim of another run",
                f"another run is under way, its claim ends in {endpoint.claim_seconds_left:.0f} s",
                holding.next_for(endpoint.claim_run),
            )


def one_primary(view: View, request: Request) -> Iterator[Refusal]:
    """Two running primaries are a split that no verb makes better. The one must be the newest, of one cluster."""
    if len(view.primaries) > 1:
        names = ", ".join(sorted(o.member for o in view.primaries))
        yield Refusal(
            "two_primaries",
            names,
            "at most one primary",
            "two members take writes",
            "stop the one that clients should not reach, then run rejoin",
        )
    yield from lineage.stale_primary(view, request)
    identities = {o.member: o.system_id for o in view.observed.values() if o.system_id}
    if len(set(identities.values())) > 1:
        measured = ", ".join(f"{member}={identity}" for member, identity in sorted(identities.items()))
        yield Refusal(
            "other_cluster",
            measured,
            "one system identifier",
            "the members are not copies of one database",
            "check the plan's members, ports and data directories",
        )
    for observed in view.observed.values():
        yield from problems(observed, EVERY_VERB)


def told(view: View) -> Iterator[Refusal]:
    """What stands in no move's way, or explains why there is none: nobody else would notice it."""
    for observed in view.observed.values():
        yield from problems(observed, TOLD)


def problems(observed: Observation, verb: str) -> Iterator[Refusal]:
    """What the engine found at a member that stands in the way of ``verb``."""
    for problem in observed.problems:
        if verb in problem.blocks:
            text = f"{observed.member}: {problem.message}"
            yield Refusal(problem.rule, problem.measured, problem.limit, text, problem.hint)
