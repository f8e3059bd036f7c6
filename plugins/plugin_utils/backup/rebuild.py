# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service of which no member has data any more: proven restored data becomes its primary, where nothing was.

Whatever a member still holds may be newer than every backup, so it is never overwritten and never moved away: the
rebuild is refused while there is any.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.swap import Swapper
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import Wanted, same_request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberRefused


class Rebuilder(Swapper):
    """A member without data."""

    state = "rebuilt"

    def vacant(self, wanted: Wanted, serves: bool) -> dict[str, Any]:
        """Refuse where this member runs a server or holds data, other than what this very rebuild put here.

        ``serves``: it is the one to become primary, so its configuration must be there.
        """
        noted = self.noted(self.ask())
        phase = noted.get("phase") if same_request(noted, wanted) and noted.get("as") == self.state else None
        if phase not in ("swapping", "swapped"):
            self._nothing_here()
        if serves and not self.is_there(self.cluster.config_file):
            hint = "install it as your configuration management has it: a backup holds the data directory only"
            message = f"{self.cluster.member} has no configuration for the cluster"
            raise MemberRefused(Refusal("no_configuration", "not there", self.cluster.config_file, message, hint))
        return {"changed": False, "state": "vacant", "rebuilt": phase == "swapped"}

    def make_way(self, seconds: float) -> list[str]:
        """There is nothing to stop or to keep; that is asked once more, and moving onto data would fail."""
        self._nothing_here()
        self._held()
        return []

    def moved_away(self) -> str:
        """Nothing is in the way."""
        return ":"

    def serve_again(self, seconds: float) -> None:
        """Nothing served before."""

    def told_of(self, proven: Mapping[str, Any]) -> dict[str, Any]:
        """How old it is what comes back."""
        return {"evidence": self.loss(proven)["evidence"]}

    def would_lose(self, loss: Mapping[str, Any]) -> str:
        """What only a person can know."""
        where = self.cluster.data_directory
        return f"no member holds data, {where} is empty (is its disk mounted?), and {loss['evidence'][0]}"

    def loss(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Nobody has what was written since, so only the age of what comes back can be told."""
        row, commit = result.get("newest_row"), result.get("last_commit")
        newest = max((float(at) for at in (row, commit) if at is not None), default=None)
        known = {"the canary's newest row": row, "the last commit": commit}
        told = ", ".join(f"{what} is of {_time(at)}" for what, at in known.items() if at is not None)
        return {
            "known": False,
            "why": "no member has data to compare with",
            "newest": newest,
            "source": "heartbeat" if newest == row else "positions",
            "evidence": [f"of what comes back {told or 'nobody can tell the age'}"],
            "target": result["target"],
        }

    def _nothing_here(self) -> None:
        """No server runs, and the data directory is not there or holds nothing. Refuses also what cannot be read."""
        seen, data = self.observed(), self.cluster.data_directory
        find = self.cluster.as_user(["/usr/bin/find", data, "-mindepth", "1", "-maxdepth", "1"])
        listed = self.look(f"LC_ALL=C; export LC_ALL\n{find} </dev/null\n")
        gone = listed.rc != 0 and "No such file or directory" in listed.stderr
        found = [] if gone else [*listed.stdout.splitlines(), *(listed.stderr.splitlines() if listed.rc else ())]
        if seen.running is not False:
            measured = f"{seen.role}, {'runs' if seen.running else 'runs or hangs'}"
        elif found:
            measured = f"{len(found)} files in {data}" if listed.rc == 0 else found[-1].strip()
        else:
            return
        hint = f"bring the service back from it. Is it worth nothing? Stop it, and move {data} away"
        message = f"{self.cluster.member} has data, which may be newer than every backup"
        raise MemberRefused(Refusal("data_present", measured, "no server, no data", message, hint))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
