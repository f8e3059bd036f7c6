# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the scripts run with other rights is what the sudoers file allows: each command, literally, and no more."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sudo_rules import members_of, rules_of

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act, observe, rejoin
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream, sudo_rules

TOP = Path(__file__).resolve().parents[2]
MEMBER = {"host": "db1", "cluster": "15/main", "port": 5433}
PEERS = [Upstream("203.0.113.132", 5432), Upstream("db3", 5434, "repl")]
ODD = {**MEMBER, "data_directory": "/srv/a:b,c=d", "user": "pg", "unit": "db-\\x2d:x.service"}
MINE = Lease("payments-db", "run-a", 8)

RULE = re.compile(r"(?P<login>\S+) ALL=\((?P<user>\S+)\) NOPASSWD: (?P<command>/.*)")
#: A command that runs with other rights, up to what the shell does next with it
WITH_RIGHTS = re.compile(r"(?:\$as -u (?P<user>\S+) -- |\$root )(?P<command>/.*?)(?=\$as\b|\$root\b|$)", re.MULTILINE)
ENDS = {"<", ">", "|", "||", "&&", ";", "&", ")", "}", "2", "<<"}


def scripts(cluster: Cluster, peer: Upstream) -> list[str]:
    """Every script that is ever sent to a member."""
    common = ("payments-db", MINE, cluster)
    unit = [cluster.unit]
    return [
        observe.script([observe.Question("payments-db", cluster, [peer])]),
        act.stop(*common, peer, 30),
        act.promote(*common, proof=1, seconds=30, record={}),
        act.start_again(*common, 30),
        act.settle(*common, ["db2"]),
        rejoin.rewind(*common, peer),
        rejoin.clone(*common, peer),
        rejoin.swap_in(*common),
        rejoin.start(*common, peer, 30),
        rejoin.progress(cluster),
        systemd.fence_script("payments-db", MINE, unit, [5432], 10),
        systemd.release_script("payments-db", MINE, unit, [5432]),
        systemd.prove_script(unit, [5432]),
    ]


def words(text: str) -> str:
    """The command alone, as sudo sees it: the shell's own words after it are cut off."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[str] = []
    for word in lexer:
        if word in ENDS or word.startswith((">", "<", ";", "&", "|", ")")):
            break
        found.append(word)
    return " ".join(found)


def used(cluster: Cluster, peer: Upstream) -> set[tuple[str, str]]:
    """(user, command) of everything that any script runs with other rights."""
    found = set()
    for script in scripts(cluster, peer):
        for match in WITH_RIGHTS.finditer(script):
            found.add((match["user"] or "root", words(match["command"])))
    return found


def allowed(rules: list[str]) -> set[tuple[str, str]]:
    """(user, command) of sudoers lines, what is escaped in them read as sudo reads it."""
    parsed = [RULE.fullmatch(rule) for rule in rules]
    assert all(parsed), rules
    return {(match["user"], re.sub(r"\\(.)", r"\1", match["command"])) for match in parsed if match}


@pytest.mark.parametrize("options", [MEMBER, ODD], ids=["as Debian has it", "everything different"])
def test_the_rules_allow_what_the_scripts_run_and_no_more(options):
    cluster = Cluster.from_member(options)
    wanted = used(cluster, PEERS[0]) | used(cluster, PEERS[1])
    given = allowed(sudo_rules(cluster, PEERS, "continuity") + systemd.sudo_rules([cluster.unit], "continuity"))
    assert wanted - given == set(), "the scripts would be refused"
    assert given - wanted == set(), "the login has rights that nothing needs"


def test_every_use_of_other_rights_is_seen():
    """A command that the search above did not understand must not go unnoticed."""
    cluster = Cluster.from_member(MEMBER)
    for script in scripts(cluster, PEERS[0]):
        uses = len(re.findall(r"\$as\b|\$root\b", script))
        assert uses == len(WITH_RIGHTS.findall(script))
    assert len(used(cluster, PEERS[0])) > 20
    assert not re.search(r"\bsudo\b(?! -n\")", "".join(scripts(cluster, PEERS[0]))), "sudo by its own name"


def test_a_missing_rule_and_a_needless_one_are_found():
    cluster = Cluster.from_member(MEMBER)
    given = allowed(sudo_rules(cluster, PEERS[:1], "continuity") + systemd.sudo_rules([cluster.unit], "continuity"))
    assert {command for _user, command in used(cluster, PEERS[1]) - given}, "another peer needs rules of its own"
    other = Cluster.from_member({**MEMBER, "port": 5434})
    assert used(other, PEERS[0]) - given and given - used(other, PEERS[0])


def test_no_rule_leaves_anything_open():
    for options in (MEMBER, ODD):
        cluster = Cluster.from_member(options)
        for rule in sudo_rules(cluster, PEERS, "continuity") + systemd.sudo_rules([cluster.unit], "continuity"):
            match = RULE.fullmatch(rule)
            assert match and match["login"] == "continuity" and match["user"] in ("root", cluster.user)
            command = match["command"]
            assert not re.search(r"(?<!\\)[*?\[\]!,:=]", command), f"{rule}: sudo would read more than these letters"
            assert command.startswith("/usr/") and not re.match(r"/usr/bin/(env|sh|bash|sudo|su)\b", command)
            assert len(command.split()) > 1, f"{rule}: without arguments any are allowed"


PLAN = TOP / "inventories" / "lab" / "plan.yml"


def test_the_labs_sudoers_file_is_what_the_tool_prints_for_the_labs_plan():
    tool = [sys.executable, str(TOP / "tests" / "tools" / "sudo_rules.py"), str(PLAN), "continuity"]
    printed = subprocess.run(tool, capture_output=True, text=True, check=True).stdout.splitlines()
    file = (TOP / "tests" / "lab" / "member" / "sudoers").read_text(encoding="utf-8").splitlines()
    assert printed and [line for line in file if line and not line.startswith("#")] == printed


def test_the_tool_gives_every_member_its_own_paths_and_peers():
    plan = {
        "services": {
            "a": {
                "engine": {"role": "x", "cluster": "15/a"},
                "members": ["db1", {"host": "db2", "port": 5434, "data_directory": "/srv/a"}],
            }
        }
    }
    assert [member["host"] for member in members_of(plan["services"]["a"])] == ["db1", "db2"]
    rules = rules_of(plan, "me")
    assert rules == sorted(set(rules)) and all(rule.startswith("me ALL=") for rule in rules)
    text = "\n".join(rules)
    assert "/var/lib/postgresql/15/a" in text and "/srv/a" in text
    assert r"host\=db2 port\=5434" in text and r"host\=db1 port\=5432" in text
