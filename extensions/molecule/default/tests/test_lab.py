# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stories count on: machines answer over SSH as a plain user, members hold no Python, names resolve."""

from __future__ import annotations

import pytest
from testinfra.host import Host
from topology import DNS_PROGRAMS, Machine, name_servers


def test_every_machine_answers_as_the_login_user(machines: dict[str, Host]) -> None:
    assert sorted(machines) == ["client", "db1", "db2", "ns0", "ns1", "ns2"]
    answers = {name: host.check_output("id -un") for name, host in machines.items()}
    assert answers == dict.fromkeys(machines, "continuity")


@pytest.mark.parametrize("member", ["db1", "db2"])
def test_members_have_no_python(machines: dict[str, Host], member: str) -> None:
    assert machines[member].run("command -v python3 python").rc != 0
    assert machines[member].run("command -v sh").rc == 0


@pytest.mark.parametrize("member", ["db1", "db2"])
def test_members_run_both_services_under_systemd(machines: dict[str, Host], member: str) -> None:
    running = machines[member].check_output("systemctl list-units --plain --no-legend --state=running 'postgresql@*'")
    assert "postgresql@15-payments.service" in running
    assert "postgresql@15-accounts.service" in running


@pytest.mark.parametrize("server", name_servers(), ids=lambda server: server.name)
def test_each_name_server_runs_its_own_implementation(machines: dict[str, Host], server: Machine) -> None:
    units = " ".join(program.unit for program in DNS_PROGRAMS.values())
    running = machines[server.name].check_output(f"systemctl list-units --plain --no-legend --state=running {units}")
    assert running.split()[0] == server.program.unit and len(running.splitlines()) == 1


@pytest.mark.parametrize("service", ["payments-db", "accounts-db"])
def test_users_resolve_the_services(client: Host, service: str) -> None:
    assert client.check_output(f"dig +short {service}.shop.example.") in ("198.51.100.11", "203.0.113.11")
