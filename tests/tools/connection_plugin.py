# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A connection plugin of a test's own: what becomes of a step's script, without SSH and Docker."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

FOLDER = "connection_plugins"
PLUGIN = """
DOCUMENTATION = '''
name: @NAME@
short_description: answers for a machine
description: For tests.
options: {}
'''
import json, os, re, subprocess
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

class Connection(ConnectionBase):
    transport, has_pipelining = "@NAME@", True

    def _connect(self):
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
@BODY@

    def put_file(self, *_): raise AssertionError("nothing is copied to members")
    fetch_file = put_file
    def close(self): pass
"""


def install(folder: Path, name: str, body: str) -> Path:
    """Write the plugin below this folder; ``body`` is that of ``exec_command``. Returns where Ansible looks for it."""
    plugins = folder / FOLDER
    plugins.mkdir(exist_ok=True)
    text = PLUGIN.replace("@NAME@", name).replace("@BODY@", indent(dedent(body).strip(), " " * 8))
    (plugins / f"{name}.py").write_text(text, encoding="utf-8")
    return plugins
