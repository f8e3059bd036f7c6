# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The directory beside the production data that a restore fills: whether it may, with which options, and the copy."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import observe
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import Choice
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

HBA = "local all all peer\n"
#: What is needed beside the size of the backup: the log that is read, and what recovery writes
SPARE_BYTES = 256 << 20


def write_beside(stanza: Stanza, name: str, text: str) -> str:
    """Shell text that writes one of the files that lie beside the restored data."""
    tee = stanza.cluster.as_user(["/usr/bin/tee", f"{stanza.run_directory}/{name}"])
    return f"printf '%s' {shlex.quote(text)} | {tee} >/dev/null || {{ echo \"@@failed write\"; exit 1; }}\n"


class RestoreDirectory:
    """The directory of one member. ``machine`` runs the scripts."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.stanza = machine.stanza
        self.cluster = machine.cluster

    def may_be_filled(self, noted: Mapping[str, Any], choice: Choice) -> None:
        """It is empty or ours, nothing runs on it, and there is room. Raises MemberRefused where not."""
        aside, ours = self.stanza.aside, bool(noted) and noted.get("phase") != "swapped"
        shown = observe.pairs(self.machine.look(self._room_script()).stdout)
        if shown.get("link") == "1":
            raise self._refused("restore_directory_in_use", f"{aside} is a link", "a directory", "name the directory")
        if shown.get("inside") == "1":
            measured, limit = f"{aside} leads into the data directory, or to what holds it", "a directory of its own"
            raise self._refused("restore_directory_in_use", measured, limit, "name another directory")
        if shown.get("running") == "1" and not ours:
            hint = "name another directory: this one serves somebody"
            raise self._refused("target_is_live", "a server runs on it", "nothing runs on it", hint)
        if shown.get("files") != "0" and not ours:
            hint = "name another directory, or empty it yourself: it was not filled by a restore of ours"
            raise self._refused(
                "restore_directory_in_use", f"{shown.get('files', 'unknown')} files", "empty, or ours", hint
            )
        free, held = (int(shown.get(key) or -1) for key in ("free", "held"))
        need = choice.backup.size + SPARE_BYTES - max(held, 0)
        if 0 <= free < need:
            hint = "make room, or name a directory on another file system"
            raise self._refused("not_enough_space", f"{free >> 20} MiB", f"{need >> 20} MiB", hint)

    def _room_script(self) -> str:
        aside, user = shlex.quote(self.stanza.aside), self.cluster.as_user
        data = shlex.quote(self.cluster.data_directory)
        status = user(self.stanza.restored.status())
        files = user(["/usr/bin/find", self.stanza.aside, "-mindepth", "1", "-maxdepth", "1"])
        return f"""LC_ALL=C; export LC_ALL
[ ! -L {aside} ] || echo link=1
there=$(realpath -m {aside})/ data=$(realpath -m {data})/
case $there in "$data"*) echo inside=1;; esac; case $data in "$there"*) echo inside=1;; esac
{status} >/dev/null 2>&1 </dev/null && echo running=1
echo "files=$({files} 2>/dev/null </dev/null | wc -l)"
held=$({user(["/usr/bin/du", "-sb", self.stanza.aside])} 2>/dev/null </dev/null); echo "held=${{held%%[!0-9]*}}"
set -- $(df -P -B1 "$(dirname {aside})" 2>/dev/null | tail -n 1); echo "free=${{4:-}}"
"""

    def _refused(self, rule: str, measured: str, limit: str, hint: str) -> MemberRefused:
        return MemberRefused(Refusal(rule, measured, limit, f"nothing was restored into {self.stanza.aside}", hint))

    def prepared(self, choice: Choice, note: str) -> str:
        """Shell text: the directories, and the options of this restore, the only thing in which restores differ.

        ``note`` is run before anything is made.
        """
        target, user = choice.target, self.cluster.as_user
        options = {
            "REPO": str(choice.repository),
            "SET": choice.backup.label,
            "TYPE": "default" if target.kind == "latest" else target.kind,
            "TARGET_TIMELINE": str(choice.timeline),
            "RECOVERY_OPTION": f"restore_command={self.stanza.archive_get(choice.repository)}",
        }
        if target.kind != "latest":
            options["TARGET"] = target.value
        text = "".join(f"PGBACKREST_{name}='{value}'\n" for name, value in options.items())
        make = user(["/usr/bin/mkdir", "-p", "-m", "700", self.stanza.aside, self.stanza.run_directory])
        # One that an earlier run began for another target: it would be taken for this one's
        stop = self.cluster.as_root(["/usr/bin/systemctl", "stop", self.stanza.unit("restore")])
        return (
            f"{stop} >/dev/null 2>&1 </dev/null\n"
            + note
            + f'{make} </dev/null || {{ echo "@@failed mkdir"; exit 1; }}\n'
            # Left by a server that was killed; pgBackRest would take it for one that runs
            + f"{user(['/usr/bin/rm', '-f', f'{self.stanza.aside}/postmaster.pid'])} </dev/null\n"
            + f'{user(self.stanza.forget_fetched())} </dev/null || {{ echo "@@failed forget_fetched"; exit 1; }}\n'
            + write_beside(self.stanza, "restore.env", text)
            + write_beside(self.stanza, "pg_hba.conf", HBA)
            + write_beside(self.stanza, "pg_ident.conf", "# nobody\n")
        )

    def is_being_filled(self) -> bool:
        """A copy of an earlier controller still runs: it is watched, not begun again."""
        unit = shlex.quote(self.stanza.unit("restore"))
        return self.machine.execute(f"systemctl show -p SubState --value {unit}\n", 10.0).stdout.strip() == "running"

    def fill(self) -> None:
        """Have pgBackRest fill it, or watch it do so; what is there and right already is kept."""
        log = f"{self.stanza.run_directory}/{self.stanza.name}-restore.log"
        self.machine.long("restore", self.stanza.restore(), "restore_failed", log)
        control = ["/usr/bin/test", "-s", f"{self.stanza.aside}/global/pg_control"]
        if self.machine.look(f"{self.cluster.as_user(control)} </dev/null\n").rc != 0:
            raise MemberError(f"{self.stanza.aside} has no control file after its restore; see {log}", "restore_failed")
