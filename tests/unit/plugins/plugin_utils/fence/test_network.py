# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of a network fence, on a real nftables in network namespaces: two clients, a gateway, a member."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.fence import isolation, network, vantage

TARGET = network.Target("payments-db", "db1", ("198.51.100.2", "2001:db8::2"), (5432,))
SERVER = """
import socket, sys, threading
ready = []
def serve(port, mute):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", port)); s.listen()
    ready.append(port); kept = []
    if len(ready) == 3: print("ready", flush=True)
    while True:
        c = s.accept()[0]; kept.append(c)
        if not mute:
            c.sendall(b"N")
for port, mute in ((5432, False), (22, False), (5433, True)):
    threading.Thread(target=serve, args=(port, mute)).start()
"""


def can_make_namespaces():
    """Root may, but in a container without the right to. Programs that are missing are told by the tests."""
    if os.geteuid() != 0:
        return False
    if not shutil.which("ip"):
        return True
    mine = f"continuity-try-{os.getpid()}"  # each worker of a run tries
    made = subprocess.run(["ip", "netns", "add", mine], capture_output=True, check=False).returncode == 0
    subprocess.run(["ip", "netns", "del", mine], capture_output=True, check=False)
    return made


# Not everybody who runs `make unit` is root, and sudo would ask for a password. In CI nothing is left out: there the
# tests run, and fail where that right is missing.
namespaces = pytest.mark.skipif(
    os.environ.get("CONTINUITY_CI") != "1" and not can_make_namespaces(),
    reason="needs root that may make network namespaces",
)


class Net:
    """`run("gw", script)` runs a script in one namespace."""

    SUBNETS = {"c1": 60, "c2": 61, "db1": 100}

    def __init__(self):
        self.prefix = f"continuity-{os.getpid()}-"
        self.server = None

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def make(self):
        assert shutil.which("ip"), "ip is not installed (make packages; Debian: apt-get install iproute2)"
        assert os.path.exists(network.NFT), "nft is not installed (make packages; Debian: apt-get install nftables)"
        for name in ("gw", *self.SUBNETS):
            self.ip("netns", "add", self.prefix + name)
            self.ip("-n", self.prefix + name, "link", "set", "lo", "up")
        for number, (name, third) in enumerate(self.SUBNETS.items()):
            inside, outside = f"cv{os.getpid() % 10000}i{number}", f"cv{os.getpid() % 10000}o{number}"
            self.ip("link", "add", inside, "type", "veth", "peer", "name", outside)
            for link, where, last in ((inside, name, 2), (outside, "gw", 1)):
                self.ip("link", "set", link, "netns", self.prefix + where)
                self.ip("-n", self.prefix + where, "addr", "add", f"198.51.{third}.{last}/24", "dev", link)
                self.ip("-n", self.prefix + where, "link", "set", link, "up")
            self.ip("-n", self.prefix + name, "route", "add", "default", "via", f"198.51.{third}.1")
        self.run("gw", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        words = ["ip", "netns", "exec", self.prefix + "db1", sys.executable, "-c", SERVER]
        self.server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline() == "ready\n"
        return self

    def run(self, name, script):
        words = ["ip", "netns", "exec", self.prefix + name, "/bin/sh", "-s"]
        return subprocess.run(words, input=script, capture_output=True, text=True, timeout=30, check=False)

    def look(self, name, target):
        ports = isolation.port_list(target, 22)
        return isolation.Looked(name, vantage.parse(self.run(name, vantage.script(ports, 1)).stdout, ports))

    def cut(self, name):
        self.ip("-n", self.prefix + name, "link", "set", "lo", "down")
        self.ip("-n", self.prefix + name, "route", "del", "default")

    def remove(self):
        if self.server:
            self.server.kill()
            self.server.communicate()
        for name in ("gw", *self.SUBNETS):
            subprocess.run(["ip", "netns", "del", self.prefix + name], check=False, capture_output=True)


@pytest.fixture
def net():
    made = Net()
    try:
        yield made.make()
    finally:
        made.remove()


IPV4 = network.Target("payments-db", "db1", ("198.51.100.2",), (5432,))


@namespaces
def test_two_clients_lose_the_service_and_keep_the_way(net):
    before = [net.look(name, IPV4) for name in ("c1", "c2")]
    assert [str(seen) for seen in before[0].seen] == ["198.51.100.2:5432 alive", "198.51.100.2:22 alive"]
    untouched = network.parse(net.run("gw", network.read_script(IPV4)).stdout)
    assert untouched.absent
    at_first = isolation.judge(IPV4, {"gw": untouched}, [], before, "x", 1.0)
    assert (at_first.state, at_first.level, at_first.gives) == ("open", None, 2)

    set_now = network.parse(net.run("gw", network.isolate_script(IPV4)).stdout)
    assert set_now.isolates(IPV4)
    after = [net.look(name, IPV4) for name in ("c1", "c2")]
    proof = isolation.judge(IPV4, {"gw": set_now}, before, after, "x", 2.0)
    assert (proof.state, proof.level) == ("isolated", 2), proof.text
    assert "c1 sees 198.51.100.2:5432 silent, 198.51.100.2:22 alive" in proof.text
    assert network.parse(net.run("gw", network.read_script(IPV4)).stdout).dropped > 0

    # a second run needs no sight of before: the control port shows the way
    again = network.parse(net.run("gw", network.isolate_script(IPV4)).stdout)
    assert isolation.judge(IPV4, {"gw": again}, [], after, "x", 3.0).level == 2

    released = network.parse(net.run("gw", network.release_script(IPV4)).stdout)
    assert released.absent and network.parse(net.run("gw", network.release_script(IPV4)).stdout).absent
    assert net.look("c1", IPV4).seen[0].alive


@namespaces
def test_a_client_that_is_cut_off_itself_proves_nothing(net):
    net.cut("c2")
    stand = network.parse(net.run("gw", network.isolate_script(IPV4)).stdout)
    after = [net.look(name, IPV4) for name in ("c1", "c2")]
    proof = isolation.judge(IPV4, {"gw": stand}, [], after, "x", 1.0)
    assert (proof.level, proof.state, proof.gives) == (None, "unknown", None), proof.text
    assert "c2 sees 198.51.100.2:5432 no route" in proof.text


@namespaces
def test_an_open_connection_is_dropped_as_well_and_another_service_is_not(net):
    held = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            net.prefix + "c1",
            "bash",
            "-c",
            "exec 3<>/dev/tcp/198.51.100.2/5432; read -r -n 1 -u 3 w; echo $w; read -r _; printf x >&3; sleep 60",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert held.stdout.readline() == "N\n"
        net.run("gw", network.isolate_script(IPV4))
        held.stdin.write("go\n")
        held.stdin.flush()
        ends = time.monotonic() + 10
        while not network.parse(net.run("gw", network.read_script(IPV4)).stdout).dropped:
            assert time.monotonic() < ends, "its packets still pass"
        other = network.Target("accounts-db", "db1", ("198.51.100.2",), (5433,))
        mute = net.look("c1", other).seen[0]
        assert (mute.sight, mute.alive) == ("open", False), "a frozen server opens and says nothing"
    finally:
        held.kill()
        held.communicate()


@namespaces
def test_a_rule_that_somebody_weakened_is_not_read_back(net):
    net.run("gw", network.isolate_script(IPV4))
    name = IPV4.table
    for weaker in (f"flush chain inet {name} forward", f"delete chain inet {name} output"):
        assert network.parse(net.run("gw", network.isolate_script(IPV4)).stdout).isolates(IPV4)
        net.run("gw", f"nft flush chain inet {name} output; nft {weaker}")
        stand = network.parse(net.run("gw", network.read_script(IPV4)).stdout)
        assert stand.rules is not None and not stand.isolates(IPV4) and not stand.absent


@namespaces
@pytest.mark.parametrize(
    "order",
    ["insert rule inet {} forward tcp dport 5432 accept", "add table inet {} {{ flags dormant; }}"],
    ids=["accept", "dormant"],
)
def test_a_table_that_somebody_weakened_is_no_fence_and_the_next_fence_replaces_it(net, order):
    assert network.parse(net.run("gw", network.isolate_script(IPV4)).stdout).isolates(IPV4)
    assert net.run("gw", f"nft '{order.format(IPV4.table)}'").returncode == 0
    stand = network.parse(net.run("gw", network.read_script(IPV4)).stdout)
    assert not stand.isolates(IPV4) and not stand.absent
    if (
        "accept" in order
    ):  # of a dormant table nft 1.0.6 prints no JSON that could be read: not known is no fence either
        assert IPV4.rules() <= stand.rules
        assert [text.partition(" of ")[2] for text in stand.weakened_by] == ["the chain forward: match, accept"]
    again = network.parse(net.run("gw", network.isolate_script(IPV4)).stdout)
    assert again.isolates(IPV4) and again.weakened_by == ()


@namespaces
def test_the_rules_of_others_stay(net):
    net.run("gw", "nft add table inet others; nft add chain inet others keep")
    net.run("gw", network.isolate_script(TARGET))
    net.run("gw", network.release_script(TARGET))
    assert "chain keep" in net.run("gw", "nft list table inet others").stdout
    assert net.run("gw", "nft list tables").stdout.split() == ["table", "inet", "others"]


def entries(**changes):
    rule = {
        "chain": "forward",
        "expr": [
            {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "198.51.100.2"}},
            {
                "match": {
                    "op": "==",
                    "left": {"payload": {"protocol": "tcp", "field": "dport"}},
                    "right": {"set": [5432]},
                }
            },
            {"counter": {"packets": 3, "bytes": 9}},
            {"drop": None},
        ],
    }
    chain = {"name": "forward", "type": "filter", "hook": "forward", "prio": network.PRIORITY, **changes}
    return chain, rule


def shown(chain, rule):
    return network.parse(json.dumps({"nftables": [{"table": {}}, {"chain": chain}, {"rule": rule}]}))


def test_a_rule_is_ours_only_as_a_whole():
    wanted = ("forward", "ip", "daddr dport", ("198.51.100.2",), (5432,))
    chain, rule = entries()
    assert shown(chain, rule) == network.Stand(frozenset({wanted}), 3)
    for changes in ({"prio": 0}, {"type": "nat"}):
        assert shown(*entries(**changes)).rules == frozenset()
    for index, key, value in ((0, "op", "!="), (0, "right", {"set": ["198.51.100.9"]})):
        chain, rule = entries()
        rule["expr"][index]["match"][key] = value
        assert wanted not in shown(chain, rule).rules
    chain, rule = entries()
    rule["expr"][-1] = {"accept": None}
    assert shown(chain, rule).rules == frozenset()
    chain, rule = entries()
    rule["expr"].insert(0, {"limit": {"rate": 1}})
    assert shown(chain, rule).rules == frozenset(), "what is not understood is none of ours"
    assert shown(chain, rule).weakened_by and not shown(chain, rule).absent


@pytest.mark.parametrize("text", ["", "{}", "sudo: a password is required", '{"nftables": 1}', "not permitted"])
def test_what_shows_nothing_is_not_absent(text):
    stand = network.parse(text)
    assert stand.rules is None and not stand.absent and not stand.isolates(IPV4)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("a b", "db1", ("198.51.100.2",), (1,)), "service"),
        (("a", "db1;", ("198.51.100.2",), (1,)), "member"),
        (("a", "db1", ("db1.example",), (1,)), "no IP address"),
        (("a", "db1", ("198.51.100.2; flush ruleset",), (1,)), "no IP address"),
        (("a", "db1", (), (1,)), "at least one"),
        (("a", "db1", ("198.51.100.2",), (70000,)), "1 to 65535"),
        (("a" * 199, "db1", ("198.51.100.2",), (1,)), "too long"),
    ],
)
def test_what_cannot_be_named_in_a_rule_is_refused(values, told):
    with pytest.raises(network.BadTarget, match=told):
        network.Target(*values)


def test_the_sudoers_lines_are_the_scripts_commands_and_no_more(tmp_path):
    log = tmp_path / "log"
    sudo = tmp_path / "sudo"
    sudo.write_text(f'#!/bin/sh\nshift; printf "%s\\n" "$*" >> {log}; echo "{{}}"\n', encoding="utf-8")
    sudo.chmod(0o755)
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n", encoding="utf-8")
    (tmp_path / "id").chmod(0o755)
    for script in (network.isolate_script(TARGET), network.read_script(TARGET), network.release_script(TARGET)):
        subprocess.run(
            ["/bin/sh", "-s"],
            input=script,
            text=True,
            check=True,
            capture_output=True,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )
    rules = network.sudo_rules(TARGET, "me")
    given = {rule.split(" NOPASSWD: ")[1].replace("\\", "") for rule in rules}
    assert set(log.read_text(encoding="utf-8").splitlines()) == given
    assert all(rule.startswith("me ALL=(root) NOPASSWD: /usr/sbin/nft ") for rule in rules)
    file = tmp_path / "sudoers"
    file.write_text("\n".join(rules) + "\n", encoding="utf-8")
    checker = shutil.which("visudo", path="/usr/sbin:/usr/bin")
    assert checker is None or subprocess.run([checker, "-cf", file], capture_output=True, check=False).returncode == 0
