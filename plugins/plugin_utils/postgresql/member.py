# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring one member into a role: look, act only where it is needed, and read back what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ansible_collections.continuity.dr.plugins.plugin_utils import lease as leases
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation, Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act, observe, read, rejoin
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.sql import position_bytes, position_text

#: A copy of a large database takes hours; it is watched, not bounded, and goes on without its controller.
LONG_WORK_POLL_SECONDS = 0.3
RENEW_EVERY_SECONDS = 20
RENEW_FOR_SECONDS = 120


class Done(Protocol):
    """What the injected runner returns."""

    rc: int
    stdout: str
    stderr: str


Execute = Callable[[str, float], Any]


class MemberError(Exception):
    """The member could not be brought into the role; says what happened and what to do next."""

    def __init__(self, message: str, reason: str, **result: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.result = result


class MemberRefused(Exception):
    """One or more rules forbid it; the member is unchanged unless ``result`` says otherwise."""

    def __init__(self, *refusals: Refusal, **result: Any) -> None:
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals = refusals
        self.result = result

    @property
    def refusal(self) -> Refusal:
        """The only one, where one step asks one question."""
        (refusal,) = self.refusals
        return refusal


class Member:
    """One cluster on one machine. ``execute(script, seconds)`` runs a script there and returns a Done."""

    def __init__(
        self, service: str, cluster: Cluster, lease: Lease | None, execute: Execute, *, check_mode: bool = False
    ) -> None:
        self.service = service
        self.cluster = cluster
        self.lease = lease
        self.execute = execute
        self.check_mode = check_mode

    def bring_to(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Dispatch by ``args["state"]``; see the module's documentation for the other keys."""
        upstream = Upstream.from_member(args["upstream"]) if args.get("upstream") else None
        if args["state"] == "stopped":
            return self.stopped(upstream, args["timeout"])
        if args["state"] == "primary":
            return self.primary(args)
        if args["state"] == "settled":
            return self.settled(args)
        if upstream is None or not args.get("history"):
            raise ValueError("state=replica needs upstream and history")
        return self.replica(upstream, rejoin.Branch.from_server(args["history"]), args)

    def observed(self) -> Observation:
        """Observe this cluster alone."""
        output = self.execute(observe.script([observe.Question(self.service, self.cluster)]), 4.0)
        return read.observation(
            self.cluster.member, "", "", observe.parse(output.stdout).get(self.service), self.cluster
        )

    def stopped(self, upstream: Upstream | None, seconds: float) -> dict[str, Any]:
        """Freeze a primary; the position it returns is what a promotion elsewhere must have received."""
        if self.check_mode:
            return {"changed": self.observed().running is not False, "state": "stopped"}
        stdout = self._run(act.stop(self.service, self.lease, self.cluster, upstream, seconds), seconds * 3)
        control = _control(stdout)
        state = control.get("Database cluster state")
        if state != "shut down":
            raise MemberError(
                f"{self.cluster.member} did not stop cleanly: its control file says {state!r}, not 'shut down'; "
                "nothing was promoted",
                "unclean_stop",
                control_state=state,
            )
        if not {"Latest checkpoint location", "Latest checkpoint's TimeLineID"} <= set(control):
            raise _cut_off()
        return {
            "changed": "@@changed" in stdout.splitlines(),
            "state": "stopped",
            "position": checkpoint_position(control),
            "position_text": control.get("Latest checkpoint location"),
            "timeline": int(control["Latest checkpoint's TimeLineID"]),
            "sessions": _sessions(stdout),
        }

    def primary(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Promote a replica, or undo a stop, by what the member is now."""
        seen = self.observed() if self.check_mode or args.get("proof_position") is None else None
        if seen is not None and not seen.is_replica:
            return self._start_again(seen, args)
        if self.check_mode:
            return {"changed": True, "state": "primary"}
        return self.promote(args)

    def _start_again(self, seen: Observation, args: Mapping[str, Any]) -> dict[str, Any]:
        if seen.is_primary:
            if seen.half_fenced and not self.check_mode:
                self._run(act.settle(self.service, self.lease, self.cluster, None), 40)
            kept = {"state": "primary", "timeline": seen.timeline, "position": seen.position}
            return {"changed": seen.half_fenced, **kept}
        # A stop that hangs (its standby is gone) leaves a server that neither answers nor has ended
        if not seen.engine.get("stopped_cleanly") and not (seen.running is None and seen.engine.get("masked")):
            raise MemberRefused(
                Refusal(
                    "not_a_frozen_primary",
                    str(seen.engine.get("control_state") or seen.role),
                    "a cleanly stopped primary",
                    f"{self.cluster.member} cannot be started as a primary",
                    "run assess to see the whole service",
                )
            )
        if self.check_mode:
            return {"changed": True, "state": "primary"}
        self._run(act.start_again(self.service, self.lease, self.cluster, args["timeout"]), args["timeout"] + 10)
        again = self.observed()
        if not again.is_primary:
            raise MemberError(f"{self.cluster.member} was started and is {again.role}, not primary", "not_started")
        return {
            "changed": True,
            "state": "primary",
            "timeline": again.timeline,
            "position": again.position,
            "restarted": True,
        }

    def settled(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Make a checkpoint on a running primary and read its history; say who must confirm commits from now on."""
        if self.check_mode:
            return {"changed": False, "state": "settled"}
        stdout = self._run(act.settle(self.service, self.lease, self.cluster, args.get("synchronous")), 40)
        branch = _last_json(stdout)
        return {
            "changed": "@@changed" in stdout.splitlines(),
            "state": "settled",
            "branch": branch,
            "timeline": branch["timeline"],
            "position": branch["position"],
            "protection": {"synchronous": args.get("synchronous")},
        }

    def promote(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Promote a replica, or find that it is the primary already."""
        seconds = float(args["timeout"])
        record = {
            "member": self.cluster.member,
            "service": self.service,
            "time": time.time(),
            "run_id": self.lease.run_id if self.lease else None,
            "epoch": self.lease.epoch if self.lease else None,
            "proof_position": args.get("proof_position"),
            "proof_timeline": args.get("proof_timeline"),
        }
        proof, timeline = args.get("proof_position"), args.get("proof_timeline")
        script = act.promote(
            *(self.service, self.lease, self.cluster),
            proof=proof,
            timeline=timeline,
            seconds=seconds,
            record=record,
            lease_left=args.get("lease_left"),
            detached=bool(args.get("detached")),
        )
        stdout = self._run(script, seconds + 4)
        server = _last_json(stdout)
        if not server["writable"]:
            raise MemberError(
                f"{self.cluster.member} was promoted and does not take writes", "not_writable", promoted=True
            )
        lifted = [
            line.removeprefix("@@protection ") for line in stdout.splitlines() if line.startswith("@@protection ")
        ]
        return {
            "changed": "@@changed" in stdout.splitlines(),
            "state": "primary",
            "timeline": server["timeline"],
            "position": server["position"],
            "position_text": position_text(server["position"]),
            "system_id": server["system_id"],
            "promotion": record,
            "recorded": "@@unrecorded" not in stdout.splitlines(),
            "protection": {"lifted": bool(lifted and lifted[0].strip()), "was": "".join(lifted).strip()},
        }

    def open_session(self, seconds: int) -> None:
        """Open the session that ``promote`` uses when it comes within ``seconds``."""
        self._run(act.arm(self.service, self.lease, self.cluster, seconds), 8.0)

    def replica(self, upstream: Upstream, branch: rejoin.Branch, args: Mapping[str, Any]) -> dict[str, Any]:
        """Bring a member back into replication by the method its own state allows."""
        seen = self.observed()
        chosen = rejoin.method(seen, branch, upstream)
        if isinstance(chosen, Refusal):
            raise MemberRefused(chosen)
        result: dict[str, Any] = {
            "changed": chosen != "none" or seen.half_fenced,
            "state": "replica",
            "method": chosen,
            "timeline": branch.timeline,
        }
        if chosen == "none" and seen.half_fenced and not self.check_mode:
            self._run(act.may_start(self.service, self.lease, self.cluster), 10)
        if chosen == "none" or self.check_mode:
            return result
        if chosen == "rewind":
            ended = self._long(rejoin.rewind(self.service, self.lease, self.cluster, upstream))
            if ended != "success":
                result["rewind_failed"], chosen = ended, "clone"
        if chosen == "clone":
            result.update(self._clone(upstream, args))
        stdout = self._run(
            rejoin.start(self.service, self.lease, self.cluster, upstream, args["timeout"]), args["timeout"] + 70
        )
        if not _last_json(stdout).get("streaming"):
            raise MemberError(
                f"{self.cluster.member} runs as a replica and does not stream from {upstream.host}:{upstream.port} "
                f"after {args['timeout']:g} s; look at its log",
                "not_streaming",
            )
        return result

    def _clone(self, upstream: Upstream, args: Mapping[str, Any]) -> dict[str, Any]:
        if not args["clone"]:
            raise MemberError(
                f"{self.cluster.member} cannot be rewound, and cloning it is not allowed (clone: false)", "clone_needed"
            )
        ended = self._long(rejoin.clone(self.service, self.lease, self.cluster, upstream))
        if ended != "success":
            raise MemberError(
                f"the copy from {upstream.host} to {self.cluster.member} ended with {ended}; "
                f"see journalctl -u {self.cluster.long_unit()}",
                "clone_failed",
            )
        self._run(rejoin.swap_in(self.service, self.lease, self.cluster), 10)
        return {"method": "clone", "kept": self.cluster.kept_directory}

    def _long(self, script: str) -> str:
        """Start long work as a transient unit and wait for it; the lease lives as long as it is watched."""
        self._run(script, 60)
        renewed = time.monotonic()
        while True:
            if self.lease and time.monotonic() - renewed > RENEW_EVERY_SECONDS:
                self._run(leases.renew_script(self.lease, RENEW_FOR_SECONDS), 5)
                renewed = time.monotonic()
            output = self.execute(rejoin.progress(self.cluster), 5.0)
            shown = dict(line.split("=", 1) for line in output.stdout.splitlines() if "=" in line)
            if shown.get("ActiveState") not in ("active", "activating", "deactivating"):
                return shown.get("Result", "unknown")
            time.sleep(LONG_WORK_POLL_SECONDS)

    def _run(self, script: str, seconds: float) -> str:
        """Run a script that changes something; a refusal or a failure on the member is raised in our words."""
        output = self.execute(script, seconds)
        refused = leases.refusal(output.stdout)
        if refused:
            rule, detail = refused
            raise MemberRefused(
                Refusal(
                    rule,
                    detail or "none",
                    f"the lease of run {self.lease.run_id if self.lease else '-'}",
                    f"{self.cluster.member} refused the step",
                    leases.NEXT.get(rule, "run assess"),
                )
            )
        if output.rc != 0:
            raise MemberError(
                _explain(self.cluster.member, output), _reason(output.stdout), output=output.stdout[-500:]
            )
        return str(output.stdout)


def checkpoint_position(control: Mapping[str, str]) -> int:
    """Position of the shutdown checkpoint in bytes: where its record begins."""
    return position_bytes(control["Latest checkpoint location"])


def _control(stdout: str) -> dict[str, str]:
    """The control file as the script printed it, after everything that clients could have put words into."""
    lines = stdout.partition("@@controldata\n")[2].splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _sessions(stdout: str) -> list[Any]:
    """Who was connected; a list for people, so the service is not held up where it could not be read."""
    for line in stdout.splitlines():
        if line.startswith("@@sessions "):
            try:
                return list(json.loads(line.removeprefix("@@sessions ")))
            except ValueError:
                return []
    return []


def _cut_off() -> MemberError:
    return MemberError(
        "the server's answer was cut off; run the verb again, it continues from what it finds", "unknown"
    )


def _last_json(stdout: str) -> dict[str, Any]:
    lines = [line for line in stdout.splitlines() if line.startswith("{")]
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        raise _cut_off() from None


def _reason(stdout: str) -> str:
    marks = [line.removeprefix("@@failed ") for line in stdout.splitlines() if line.startswith("@@failed ")]
    reason = marks[-1].split()[0] if marks else "failed"
    for word in ("not_received", "other_timeline", "primary_seen"):
        if f"continuity {word}" in stdout:
            return word
    return f"{reason}_failed" if marks else reason


def _explain(member: str, output: Done) -> str:
    said = [line for line in (output.stdout + output.stderr).splitlines() if "ERROR" in line or "FATAL" in line]
    detail = said[-1] if said else (output.stderr.strip().splitlines() or ["no message"])[-1]
    return f"{member}: {_reason(output.stdout)}: {detail}"
