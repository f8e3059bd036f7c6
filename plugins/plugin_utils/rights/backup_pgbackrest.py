# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role backup_pgbackrest needs: commands on the members, and the units that start backups by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.options import schedule_of
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.rules import sudo_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.schedule import files
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import Known, Rights, Service


def rights(service: Service, part: Mapping[str, Any], known: Known) -> Rights:
    """Every member may become primary, so all of them may make backups and restore, and have the timer."""
    stanzas = {member["host"]: Stanza.from_options(part, member) for member in service["members"]}
    sudo = {host: sudo_rules(stanza, known.logins[host]) for host, stanza in stanzas.items()}
    plan = schedule_of(part)
    # The login may not install units, which would give it root: an administrator does, once. One entry a file, or
    # lines that a script has twice would be taken for duplicates.
    units = {
        f"{host}.{PurePosixPath(path).name}": [text.rstrip("\n")]
        for host, stanza in stanzas.items()
        for path, text in files(stanza, plan).items()
    }
    return Rights(sudo, {}, units)
