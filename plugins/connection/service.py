# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection of a service host: there is nothing at its other end."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service
author:
  - continuity.dr contributors (@continuity-dr)
version_added: "0.1.0"
short_description: Refuse to run anything on a service of a continuity plan
description:
  - A service of a plan (P(continuity.dr.plan#inventory)) is an inventory host, but no machine. This connection fails
    every command and every file transfer, so that a playbook for C(all) hosts never runs on the controller by
    accident.
  - Steps of continuity.dr think on the controller and reach machines by C(delegate_to); they never use this
    connection.
  - It has no options and never asks for C(become) or a password.
options: {}
seealso:
  - plugin: continuity.dr.plan
    plugin_type: inventory
"""

EXAMPLES = r"""
# A playbook for all machines leaves the services out:
- name: Patch every machine
  hosts: all:!continuity_services
  tasks:
    - name: Install the package
      ansible.builtin.package:
        name: "*"
        state: present
"""

from typing import Any, NoReturn

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase


class Connection(ConnectionBase):
    transport = "continuity.dr.service"
    has_pipelining = True  # or Ansible would first try to make a temporary directory, and fail with less to say

    def _connect(self) -> NoReturn:
        self._refuse()

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> NoReturn:
        self._refuse()

    def put_file(self, in_path: str, out_path: str) -> NoReturn:
        self._refuse()

    def fetch_file(self, in_path: str, out_path: str) -> NoReturn:
        self._refuse()

    def reset(self) -> None:
        """Nothing is open, so nothing can be left over."""

    def close(self) -> None:
        self._connected = False

    def _refuse(self) -> NoReturn:
        name: Any = self._play_context.remote_addr
        raise AnsibleError(
            f"{name}: this is a service, not a machine: nothing can run on it, and nothing did. "
            "Leave the services out (hosts: all:!continuity_services), or send the task to one of its machines with "
            "delegate_to."
        )
