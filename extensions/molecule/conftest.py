# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines of the lab for testinfra: a fixture for each, reached over SSH as the lab's inventory says.

testinfra reads Ansible inventories too, but leaves the templates in them as they stand; so Ansible is asked for the
values.
Members have no Python: ``run``, ``check_output``, ``file`` and ``service`` work there, ``ansible`` does not.

Example::

    def test_the_new_primary_takes_writes(db2: Host) -> None:
        assert db2.check_output("psql -XAtc 'select pg_is_in_recovery()'") == "f"
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lab"))
import harness  # noqa: E402 the path above comes first

INVENTORY = Path(__file__).resolve().parents[2] / "inventories" / "lab" / "hosts.yml"
CONNECTION = "{{ [ansible_user, ansible_host, ansible_ssh_private_key_file, ansible_ssh_args] }}"
ANSWER = re.compile(r"^(\S+) \| SUCCESS => (\{.*?^\})", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def machines() -> dict[str, Host]:
    """Every machine of the lab's inventory by name; connecting is left to the first command."""
    command = ["ansible", "all", "-i", str(INVENTORY), "-m", "ansible.builtin.debug", "-a", f"msg={CONNECTION}"]
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}  # Molecule asks for colours
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=plain).stdout
    found = {}
    for name, answer in ANSWER.findall(said):
        user, address, key, arguments = json.loads(answer)["msg"]
        found[name] = testinfra.get_host(
            f"ssh://{user}@{address}", ssh_identity_file=key, ssh_extra_args=arguments, timeout=5
        )
    assert found, f"no machine in {INVENTORY}: {said}"
    return found


@pytest.fixture
def db1(machines: dict[str, Host]) -> Host:
    """The member in dc1, the preferred site."""
    return machines["db1"]


@pytest.fixture
def db2(machines: dict[str, Host]) -> Host:
    """The member in dc2, the recovery site."""
    return machines["db2"]


@pytest.fixture
def client(machines: dict[str, Host]) -> Host:
    """A user's machine: it knows names and resolvers, and no member."""
    return machines["client"]


@pytest.fixture
def controller() -> Host:
    """This machine, where Ansible runs."""
    return testinfra.get_host("local://")


@pytest.fixture
def verb() -> Callable[..., harness.Result]:
    """Run a verb once more: ``verb("failover", "scope=payments")``."""
    return harness.run_verb


@pytest.fixture
def by_hand() -> Callable[..., str]:
    """Do something as root on a machine, past Ansible: ``by_hand("db1", "systemctl stop ...")``."""
    return harness.inside


@pytest.fixture
def dns_by_hand() -> Callable[[str, str], None]:
    """Set a service's record past the collection: ``dns_by_hand("payments-db", "198.51.100.11")``."""
    return harness.set_record


@pytest.fixture
def last_report() -> Callable[[str], dict[str, Any]]:
    """The newest report of a verb that moved something or was refused: ``last_report("failover")``."""
    return harness.last_report
