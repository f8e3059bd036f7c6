# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that an administrator installs for backups: lines that sudo reads, and the timer's script as it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.options import schedule_of
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import gather

VISUDO = shutil.which("visudo", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
BACKUP = {
    "role": "continuity.dr.backup_pgbackrest",
    "stanza": "shop",
    "repositories": [{"key": 1, "site": "dc1"}, {"key": 3, "site": "dc2"}],
    "full_every": "7d",
}
MEMBERS = [{"host": "db1", "cluster": "15/main"}, {"host": "db2", "cluster": "15/main", "restore_directory": "/srv/r"}]
SERVICE = {
    "name": "shop",
    "engine": {"role": "continuity.dr.engine_postgresql"},
    "members": MEMBERS,
    "backup": BACKUP,
}


@pytest.fixture(scope="module")
def files():
    return gather({"shop": SERVICE}, {"db1": "dbops", "db2": "dbops"}).files


def test_each_member_has_its_own_directories(files):
    assert "/var/lib/postgresql/15/main.restored" in files["db1.sudoers"] and "/srv/r" not in files["db1.sudoers"]
    assert "--pg1-path\\=/srv/r " in files["db2.sudoers"] and "main.restored" not in files["db2.sudoers"]
    assert r"--repo\=3" in files["db1.sudoers"] and r"--repo\=2" not in files["db1.sudoers"]


def test_sudo_can_read_the_lines(files, tmp_path):
    assert VISUDO, "visudo is missing: make packages"
    path = tmp_path / "sudoers"
    path.write_text(files["db1.sudoers"], encoding="utf-8")
    subprocess.run([VISUDO, "--check", "--strict", f"--file={path}"], check=True, capture_output=True)


def test_no_line_leaves_anything_open(files):
    lines = [line for line in files["db1.sudoers"].splitlines() if not line.startswith("#")]
    assert len(lines) > 50
    for line in lines:
        command = line.partition("NOPASSWD: ")[2]
        assert not re.search(r"(?<!\\)[*?\[\]!,:=]", command), f"{line}: sudo would read more than these letters"
        assert command.startswith("/usr/") and not re.match(r"/usr/bin/(env|sh|bash|sudo|su)\b", command)


def test_the_timers_files_are_written_as_they_are(files):
    stanza = Stanza.from_options(BACKUP, MEMBERS[0])
    for path, text in schedule.files(stanza, schedule_of(BACKUP)).items():
        assert files[f"db1.{path.rpartition('/')[2]}"] == text


def test_without_a_backup_there_is_no_line_for_one():
    found = gather({"shop": {**SERVICE, "backup": None}}, {"db1": "dbops", "db2": "dbops"})
    assert "pgbackrest" not in "".join(found.files.values()) and found.unknown == []
