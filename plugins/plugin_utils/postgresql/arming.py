# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Promote a replica the moment the old primary's clean stop is proven, and not a step of a playbook later.

``Arming.arm`` runs before the freeze: it opens a session on the target and has a process on the controller wait for
the proof. The step that stops the old primary announces the proof, and nothing else does. What fires is the same
guarded script that the step ``primary`` runs: it checks lease and epoch under the lock, so whoever takes the lease
from the target has disarmed it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import armed
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import Member, MemberError, MemberRefused

#: What the old primary's clean stop, and a promotion, are announced as.
FROZEN, PROMOTED = "frozen", "promoted"
#: For a stop that takes its time. The lease lives longer, and the armed session ends with it in any case.
ARMED_SECONDS = 60

Message = dict[str, Any]


class Arming:
    """The armed promotion of one member."""

    def __init__(self, place: armed.Place, member: Member) -> None:
        self.place = place
        self.member = member
        self.name = f"promote-{member.cluster.member}"

    def arm(
        self, args: Mapping[str, Any], detach: Callable[[], None], lost: type[Exception], seconds: int = ARMED_SECONDS
    ) -> dict[str, Any]:
        """Have the member ready to be promoted. What stands in the way of that is told and is no failure.

        ``lost`` is what ``member.execute`` raises for a member that does not answer.
        """

        def prepare() -> armed.Work:
            detach()
            return lambda message: self._fire({**args, **message}, lost)

        try:
            self.member.open_session(seconds)
            armed.start(self.place, FROZEN, self.name, prepare, seconds)
        except (MemberError, OSError) as error:
            return {"changed": False, "state": "armed", "armed": False, "why": str(error)}
        return {"changed": False, "state": "armed", "armed": True, "seconds": seconds}

    def _fire(self, args: Mapping[str, Any], lost: type[Exception]) -> Message:
        """Promote, tell who waits for that, and keep what came of it."""
        try:
            result = self.member.promote(args)
        except MemberRefused as refused:
            return {"refusal": asdict(refused.refusal), "result": refused.result}
        except MemberError as error:
            return {"error": str(error), "reason": error.reason, "result": error.result}
        except lost as error:
            return {"lost": str(error)}
        told = {"address": args["member"].get("address"), **{key: result[key] for key in ("timeline", "system_id")}}
        armed.announce(self.place, PROMOTED, told)
        return {"result": {**result, "armed_monotonic_ns": time.monotonic_ns()}}

    def collect(self, args: Mapping[str, Any], lost: type[Exception]) -> dict[str, Any]:
        """What the armed promotion came to; promote in the plain way where nothing was armed or none had fired."""
        fired = armed.collect(self.place, self.name, float(args["timeout"]) + 10)
        if fired is None:
            return self.member.promote(args)
        if fired.result is None:  # it ended before it could tell: the same script again finds out, and finishes it
            return {**self.member.promote(args), "changed": True, "armed": True}
        return {**_opened(fired.result, lost), "armed": True}


def announce_frozen(place: armed.Place, result: Mapping[str, Any]) -> list[str]:
    """Hand the proof of a clean stop to what is armed for it."""
    proof = {"proof_position": result["position"], "proof_timeline": result["timeline"]}
    return armed.announce(place, FROZEN, proof)


def _opened(kept: Message, lost: type[Exception]) -> dict[str, Any]:
    if "refusal" in kept:
        fields = {key: value for key, value in kept["refusal"].items() if key in Refusal.__dataclass_fields__}
        raise MemberRefused(Refusal(**fields), **kept["result"])
    if "error" in kept:
        raise MemberError(kept["error"], kept["reason"], **kept["result"])
    if "lost" in kept:
        raise lost(kept["lost"])
    return dict(kept["result"])
