# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every verb, started as an operator does with no configuration of Ansible's: bad input ends it with an error, says all
that is wrong, and nothing is contacted. The machines and the name server of the plan are listeners that count."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.inventory.plan import InventoryModule
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.whole import Inventory, plan_loaded_findings

VERBS = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml"))
CANARY = "hunter2"


class Listeners:
    """A machine's SSH port and a name server, on loopback. They answer nothing and count who comes."""

    def __init__(self):
        self.contacts = 0
        self._selector = selectors.DefaultSelector()
        self.ssh, self.dns = self._open(socket.SOCK_STREAM), self._open(socket.SOCK_DGRAM)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _open(self, kind):
        listener = socket.socket(socket.AF_INET, kind)
        listener.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        self._selector.register(listener, selectors.EVENT_READ)
        return listener

    def _serve(self):
        while True:
            for key, _events in self._selector.select():
                if key.fileobj is self._wake:
                    return
                self.contacts += 1
                if key.fileobj is self.ssh:
                    key.fileobj.accept()[0].close()
                else:
                    key.fileobj.recvfrom(65535)

    def close(self):
        self._waker.send(b"x")
        self._thread.join()
        for one in (self.ssh, self.dns, self._wake, self._waker, self._selector):
            one.close()


@pytest.fixture
def listeners():
    with contextlib.closing(Listeners()) as both:
        yield both


@pytest.fixture
def verb(tmp_path, run_ansible, plan_text, listeners):
    """`verb("failover", plan=text)`: exit code and output of the verb with the machines of the listeners."""
    ssh = f"ansible_host: 127.0.0.%d, ansible_port: {listeners.ssh.getsockname()[1]}, ansible_ssh_timeout: 1"
    machines = f"dc1: {{hosts: {{db1: {{{ssh % 1}}}}}}}\nsecond: {{hosts: {{db2: {{{ssh % 2}}}}}}}\n"
    (tmp_path / "hosts.yml").write_text(
        machines + f"all: {{vars: {{vault_tsig_secret: {CANARY}, vault_canary: {CANARY}}}}}"
    )
    port = listeners.dns.getsockname()[1]
    # members at addresses that could stand in a record: they are reached at the listeners all the same
    right = plan_text.replace(
        "198.51.100.153]", f"127.0.0.1]\n        port: {port}\n        authoritative: [127.0.0.1]"
    )
    for number, host in ((11, "db1"), (12, "db2")):
        right = right.replace(f"[{host},", f"[{{host: {host}, address: 198.51.100.{number}}},")
        right = right.replace(f"{{host: {host}, port", f"{{host: {host}, address: 198.51.100.{number}, port")

    def run(name, *arguments, plan=lambda text: text, path="plan.yml"):
        typed = plan(right)
        (tmp_path / path).write_bytes(typed if isinstance(typed, bytes) else typed.encode())
        sources = ("-i", "hosts.yml", "-i", path)
        done = run_ansible("playbook", *sources, f"continuity.dr.{name}", *arguments)
        return done.returncode, done.stdout

    run.right = right
    return run


def broken(old, new):
    def change(text):
        assert old in text
        return text.replace(old, new, 1)

    return change


# One kind of breakage after the other: what is typed, and what the refusal says of it.
KINDS = [
    (broken("tier: 1", "tier: one"), [], 'functions.payments.tier: "one" is not a whole number'),
    (broken("sites:", "sites: ["), [], "plan.yml: is not readable YAML: line "),
    (broken("rto: 1h", "rto: 999999d"), [], 'rto: "999999d": is longer than a hundred years'),
    (lambda text: text.encode("utf-16"), [], "plan.yml: is not UTF-8 (UTF-16 in line 1)"),
    (
        broken("continuity.dr.plan", "continuity.dr.paln"),
        [],
        'plugin: "continuity.dr.paln" is not possible (did you mean',
    ),
    (
        broken("cluster: 15/main", 'cluster: "{{ gone }}"'),
        [],
        "members[0].cluster: the template {{ gone }} cannot be filled",
    ),
    (broken(", db2]", ", db3]"), [], 'members[1]: unknown machine "db3" (did you mean "db'),
    (
        lambda text: f"$ANSIBLE_VAULT;1.1;AES256\n{text.encode().hex()}\n",
        [],
        "plan.yml: is encrypted. If it is the plan",
    ),
    (broken("drill", "drill"), ["-e", "accept_data_loss=true"], 'accept_data_loss: "true" is no bound'),
]


@pytest.mark.parametrize("name", VERBS)
def test_bad_input_ends_every_verb(verb, listeners, name):
    """All that is wrong with plan and command line at once, no secret, nothing contacted."""
    wrong = f"secret: [{CANARY}]"
    change = broken('secret: "{{ vault_tsig_secret }}"', wrong)
    typed = ("-e", "scop=all", "-e", "continuity_max_lga=5", "--limit", "db1", "-e", f"ansible_host={CANARY}")
    code, output = verb(name, *typed, plan=change)
    assert code == 4, output
    refusal = output[output.index(f"{name} does not begin, nothing was contacted:") :]
    for part in (
        "--limit db1: would cut a part of the run away",
        "key.secret: the value (not shown) is not text",
        'scop: unknown input (did you mean "scope"?)',
        'continuity_max_lga: unknown setting "continuity_max_lga"',
        "ansible_host: would be set for every service and machine",
    ):
        assert part in refusal
    assert listeners.contacts == 0
    assert CANARY not in output


@pytest.mark.parametrize(("name", "kind"), [(VERBS[index % len(VERBS)], kind) for index, kind in enumerate(KINDS)])
def test_every_kind_of_breakage_ends_a_verb(verb, listeners, name, kind):
    change, arguments, told = kind
    code, output = verb(name, "-e", "scope=all", *arguments, plan=change)
    assert code == 4, output
    refusal = output[output.index(f"{name} does not begin, nothing was contacted:") :]
    assert told in refusal
    assert listeners.contacts == 0
    assert CANARY not in output


SOURCES = {
    "a name that is not there": (
        "plam.yml",
        lambda path: None,
        'plam.yml: there is no such file (did you mean "plan.yml"?)',
    ),
    "a directory": ("folder.yml", lambda path: path.mkdir(), "no plan was loaded"),
    "a link that leads nowhere": (
        "link.yml",
        lambda path: path.symlink_to("gone"),
        "link.yml: cannot be read: No such file",
    ),
    "a pipe": ("pipe.yml", os.mkfifo, "pipe.yml: is no regular file"),
    "another ending": (
        "plan.txt",
        lambda path: shutil.copy(path.with_name("plan.yml"), path),
        "a name that ends in .yml",
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_sources_that_are_no_plan(tmp_path, source, no_network):
    """Judged in this process: Ansible would wait at a pipe for ever."""
    (tmp_path / "plan.yml").write_text("plugin: continuity.dr.plan\nplan:\nsites:\nfunctions:\n")
    name, make, told = SOURCES[source]
    make(tmp_path / name)
    assert InventoryModule().verify_file(str(tmp_path / name)) is False
    found = plan_loaded_findings(Inventory({}, None, [str(tmp_path / name), "db1,db2"], dict, str))
    assert [text for text in found if told in text], found


def test_two_plans_and_the_same_plan_twice(verb, tmp_path, run_ansible, listeners):
    (tmp_path / "other.yml").write_text(verb.right.replace("id: shop", "id: other"))
    (tmp_path / "plan.yml").write_text(verb.right)
    for second, told in (
        ("other.yml", 'plan: another plan ("shop") is loaded already'),
        ("plan.yml", "this plan is loaded"),
    ):
        sources = ("-i", "hosts.yml", "-i", "plan.yml", "-i", second)
        done = run_ansible("playbook", *sources, "continuity.dr.assess")
        assert done.returncode == 4, done.stdout
        assert told in done.stdout and "allowed: one plan in a run, given once" in done.stdout
    assert listeners.contacts == 0


def test_the_right_input_does_contact_them(verb, listeners):
    """Or the count of the others would prove nothing. Ansible reaches machines with ssh."""
    assert shutil.which("ssh"), "ssh is not installed (make packages; Debian: apt-get install openssh-client)"
    _code, output = verb("assess", plan=lambda text: text)
    assert "does not begin" not in output, output
    assert listeners.contacts > 0
