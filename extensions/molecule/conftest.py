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

import functools
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import pytest
import story
import testinfra
from testinfra.host import Host

INVENTORY = Path(__file__).resolve().parents[2] / "inventories" / "lab" / "hosts.yml"
CONNECTION = "{{ [ansible_user, ansible_host, ansible_ssh_private_key_file, ansible_ssh_args] }}"
#: As the login may: sudo knows these words in this order and no other.
PSQL = "sudo -n -u postgres /usr/lib/postgresql/15/bin/psql -XAtq -v ON_ERROR_STOP=1 -h /var/run/postgresql -p {port}"
NAME_SERVERS = ("198.51.100.153", "198.51.100.53", "203.0.113.53")
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
def ask() -> Callable[..., str]:
    """Ask a server itself, past the collection: ``ask(db1, "select 1")``, of accounts-db with its port."""

    def ask(member: Host, statement: str, port: int = 5432) -> str:
        return str(member.check_output(f"printf '%s' \"{statement}\" | {PSQL.format(port=port)} -d postgres -f -"))

    return ask


@pytest.fixture
def answers(client: Host) -> Callable[[str], set[str]]:
    """What users get for a service's name, from every name server of the zone: one address when all agree."""

    def answers(service: str) -> set[str]:
        return {client.check_output(f"dig +short @{server} {service}.shop.example.") for server in NAME_SERVERS}

    return answers


@pytest.fixture
def records(client: Host) -> Callable[[str], set[str]]:
    """The same with its time to live in front, as `5 198.51.100.11`."""
    words = "dig +noall +answer @{} {}.shop.example. A"

    def records(service: str) -> set[str]:
        return {" ".join(client.check_output(words.format(at, service)).split()[1::3]) for at in NAME_SERVERS}

    return records


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Path:
    """The directory of the story whose test asks."""
    return request.path.parents[1]


@pytest.fixture
def verb(place: Path) -> Callable[..., harness.Result]:
    """Run a verb once more: ``verb("failover", "scope=payments")``."""
    return functools.partial(harness.run_verb, runs=story.place(place) / "runs")


@pytest.fixture
def play(place: Path) -> Callable[..., harness.Result]:
    """Run a playbook of the story's directory, without a plan: ``play("playbook.yml", "key_file=other")``."""
    return lambda name, *arguments: harness.run_playbook(place / name, *arguments)


@pytest.fixture
def by_hand() -> Callable[..., str]:
    """Do something as root on a machine, past Ansible: ``by_hand("db1", "systemctl stop ...")``."""
    return harness.inside


@pytest.fixture
def dns_by_hand() -> Callable[[str, str], None]:
    """Set a service's record past the collection: ``dns_by_hand("payments-db", "198.51.100.11")``."""
    return harness.set_record


@pytest.fixture
def last_report(place: Path) -> Callable[[str], dict[str, Any]]:
    """The newest report of a verb that moved something or was refused: ``last_report("failover")``."""
    return functools.partial(harness.last_report, runs=story.place(place) / "runs")


@pytest.fixture
def measurements(last_report: Callable[[str], dict[str, Any]], place: Path) -> Callable[[str], dict[str, Any]]:
    """What the canary of the newest run of a verb has measured, by stage: ``measurements("drill")``."""

    def measurements(verb: str) -> dict[str, Any]:
        report = last_report(verb)
        file = story.place(place) / "runs" / report["run_id"] / "canary" / f"{report['services'][0]['service']}.json"
        return {each["stage"]: each for each in json.loads(file.read_text(encoding="utf-8"))["measurements"]}

    return measurements


@pytest.fixture
def said(place: Path) -> dict[str, harness.Result]:
    """What the story's verb said in check mode, for real and a second time (changes_nothing.yml)."""
    return {mode: story.kept(place, mode) for mode in ("check", "first", "second")}


@pytest.fixture
def refused(said: dict[str, harness.Result]) -> Callable[..., tuple[str, str]]:
    """What a rule measured and its limit, after all three runs said so: ``refused("no_replica", "payments-db")``.

    Each ends with a non-zero code, changes nothing, and names rule, measured value, limit and what to do next in its
    report and on the terminal. Another rule that is not met at the same time is named behind the service.
    """

    def refused(rule: str, service: str, *beside: str) -> tuple[str, str]:
        values = set()
        for mode, run in said.items():
            assert run.rc == 2, f"{mode}: exit {run.rc}\n{run.output}"
            assert run.report["verdict"] == run.service(service)["verdict"] == "refused", f"{mode}: {run.output}"
            assert run.changed == 0, f"{mode}: {run.output}"
            rules = run.rules(service)
            assert set(rules) == {rule, *beside}, f"{mode}: {run.output}"
            measured, limit, hint = (rules[rule][key] for key in ("measured", "limit", "hint"))
            shown = f"{rule}: {rules[rule]['message']} (measured: {measured}; limit: {limit}). Next: {hint}"
            assert hint
            assert run.missing(shown) == [], f"{mode}: {run.output}"
            values.add((measured, limit))
        return values.pop()

    return refused


@pytest.fixture
def did_not_begin(said: dict[str, harness.Result]) -> Callable[..., None]:
    """All three runs ended before they contacted anything, and said all of the words: ``did_not_begin("scope")``."""

    def did_not_begin(*words: str) -> None:
        for mode, run in said.items():
            assert run.rc == 4, f"{mode}: exit {run.rc}\n{run.output}"
            assert "nothing was contacted" in run.output, f"{mode}: {run.output}"
            assert "TASK [" not in run.output, f"{mode}: {run.output}"
            assert not run.report, f"{mode}: {run.report}"
            assert run.missing(*words) == [], f"{mode}: {run.output}"

    return did_not_begin
