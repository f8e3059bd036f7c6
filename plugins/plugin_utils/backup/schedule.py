# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The units that start backups on a member without anybody's help, made from the templates beside this file.

Every member has them, so a move of the primary moves the backups as well: what they start asks the server first.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from string import Template

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule

UNIT_DIRECTORY = "/etc/systemd/system"
SCRIPT_DIRECTORY = "/usr/local/sbin"
#: The timer looks this many times in the shortest interval whether something is due; looking costs next to nothing.
LOOKS = 10
SHORTEST_LOOK, LONGEST_LOOK = 30, 900

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def timer_of(stanza: Stanza, suffix: str = "timer") -> str:
    """The unit's name."""
    return f"continuity-backup-{stanza.name}.{suffix}"


def script_of(stanza: Stanza) -> str:
    """Path of what the timer starts."""
    return f"{SCRIPT_DIRECTORY}/continuity-backup-{stanza.name}"


def files(stanza: Stanza, schedule: Schedule) -> dict[str, str]:
    """Every file to install, by its path."""
    look = min(max(int(schedule.shortest / LOOKS), SHORTEST_LOOK), LONGEST_LOOK)
    values = {
        "stanza": stanza.name,
        "user": stanza.cluster.user,
        "script": script_of(stanza),
        "look": str(look),
        "pgbackrest": shlex.join(stanza.pgbackrest()),
        "psql": shlex.join(stanza.cluster.psql()),
        "repositories": " ".join(map(str, stanza.repositories)),
        "full": str(int(schedule.full_every)),
        "diff": str(int(schedule.diff_every or 0)),
        "incr": str(int(schedule.incr_every or 0)),
    }
    return {
        script_of(stanza): _filled("backup.sh", values),
        f"{UNIT_DIRECTORY}/{timer_of(stanza, 'service')}": _filled("backup.service", values),
        f"{UNIT_DIRECTORY}/{timer_of(stanza)}": _filled("backup.timer", values),
    }


def _filled(name: str, values: Mapping[str, str]) -> str:
    return Template((_TEMPLATES / f"{name}.in").read_text(encoding="utf-8")).substitute(values)
