# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One member that holds backups or restores: scripts under the lease, and long work as a unit that is watched."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease as leases
from ansible_collections.continuity.dr.plugins.plugin_utils.backup import observe
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import READ_BYTES, Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, guarded
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import (
    LONG_WORK_POLL_SECONDS,
    RENEW_EVERY_SECONDS,
    RENEW_FOR_SECONDS,
    Member,
    MemberError,
    MemberRefused,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import RUN_AS

#: How long one look at long work waits for its end
LOOK_SECONDS = 5


def pause(began: float) -> None:
    """Wait until the next look at long work: a fiftieth of what it took so far, so what is short is not made longer."""
    time.sleep(min(LONG_WORK_POLL_SECONDS, max(0.05, (time.monotonic() - began) / 50)))


class Machine(Member):
    """A member with its stanza."""

    def __init__(
        self,
        service: str,
        stanza: Stanza,
        lease: Lease | None,
        execute: Callable[[str, float], Any],
        *,
        check_mode: bool = False,
    ) -> None:
        super().__init__(service, stanza.cluster, lease, execute, check_mode=check_mode)
        self.stanza = stanza

    def ask(self) -> Answer:
        """Observe repositories, archiver and timer as this member sees them."""
        output = self.execute(observe.script(self.stanza, self.service), observe.ASK_SECONDS + 5)
        return observe.parse(output.stdout, self.stanza)

    def act(self, script: str, seconds: float = 30.0) -> str:
        """Run a script that changes something, under the lease."""
        return self._run(guarded(self.lease, self.service, RUN_AS + script), seconds)

    def look(self, script: str, seconds: float = 15.0) -> Any:
        """Run a script that only reads."""
        return self.execute(RUN_AS + script, seconds)

    def is_there(self, path: str) -> bool:
        """A file or directory of the database's user. Raises MemberError where nobody may look."""
        output = self.look(f"{self.cluster.as_user(['/usr/bin/test', '-e', path])} </dev/null\n")
        if "sudo:" in output.stderr:
            said = output.stderr.strip()[-200:]
            raise MemberError(f"{self.cluster.member} does not say whether {path} is there: {said}", "not_asked")
        return bool(output.rc == 0)

    def note(self, name: str, text: str) -> str:
        """Shell text that writes a file into the service's state directory, as a whole or not at all."""
        return f'continuity_write {shlex.quote(name)} {shlex.quote(text)} || {{ echo "@@failed note"; exit 1; }}\n'

    def begin(self, what: str, command: Sequence[str], before: str = "") -> bool:
        """Start long work; False: it runs already, begun by an earlier controller that is gone."""
        unit = self.stanza.unit(what)
        clear = "\n".join(
            f"{self.cluster.as_root(['/usr/bin/systemctl', verb, unit])} >/dev/null 2>&1 </dev/null"
            for verb in ("stop", "reset-failed")
        )
        stdout = self.act(
            f"""
if [ "$(systemctl show -p SubState --value {shlex.quote(unit)})" = running ]; then echo @@running; exit 0; fi
{clear}
{before}
{self.cluster.as_root(list(command))} </dev/null || {{ echo "@@failed begin"; exit 1; }}
""",
            60,
        )
        return "@@running" not in stdout.splitlines()

    def ended(self, what: str) -> str:
        """Wait for long work to end: ``success``, or systemd's word for how it failed.

        The lease lives as long as the work is watched. A unit that is gone proves nothing, so it is no success.
        """
        unit = shlex.quote(self.stanza.unit(what))
        # The member waits, and tells at once: asking it all the time would take the processor from the work itself
        look = f"""
pid=$(systemctl show -p MainPID --value {unit})
[ "${{pid:-0}}" = 0 ] || timeout {LOOK_SECONDS} tail --pid="$pid" -s 0.1 -f /dev/null
systemctl show -p ActiveState -p SubState -p Result {unit}
"""
        began = renewed = time.monotonic()
        while True:
            if self.lease and time.monotonic() - renewed > RENEW_EVERY_SECONDS:
                self._run(leases.renew_script(self.lease, RENEW_FOR_SECONDS), 5)
                renewed = time.monotonic()
            shown = observe.pairs(self.execute(look, LOOK_SECONDS + 10.0).stdout)
            state = shown.get("ActiveState"), shown.get("SubState")
            if state == ("active", "exited"):
                return "success"
            if state[0] not in ("active", "activating", "deactivating"):
                return shown.get("Result", "unknown") if state[0] == "failed" else "vanished"
            pause(began)

    def long(self, what: str, command: Sequence[str], reason: str, log: str = "") -> None:
        """Begin long work, wait for it, and fail with what its log says last when it did not succeed."""
        self.begin(what, command)
        ended = self.ended(what)
        if ended == "success":
            return
        said = _last_error(self.read(log)) if log else ""
        where = f"journalctl -u {self.stanza.unit(what)}"
        raise MemberError(
            f"{what} on {self.cluster.member} ended with {ended}: {said or f'see {where}'}", reason, said=said
        )

    def read(self, path: str) -> str:
        """The end of a file that belongs to the database's user; nothing where it is not there."""
        tail = self.cluster.as_user(["/usr/bin/tail", "-c", str(READ_BYTES), path])
        return str(self.execute(f"LC_ALL=C; export LC_ALL\n{RUN_AS}{tail} 2>/dev/null </dev/null\n", 20.0).stdout)

    @staticmethod
    def refuse(refusal: Refusal, **result: Any) -> MemberRefused:
        """The exception for a rule."""
        return MemberRefused(refusal, **result)


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if "ERROR:" in line or "FATAL:" in line]
    return lines[-1].strip()[:300] if lines else ""
