# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the scripts run with other rights is what the sudoers file allows: each command, literally, and no more."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml
from plan_rights import files_of, lines_of

from ansible_collections.continuity.dr.plugins.plugin_utils import systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act, observe, rejoin
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream, sudo_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import Rights, gather, provider_of

TOP = Path(__file__).resolve().parents[2]
MEMBER = {"host": "db1", "cluster": "15/main", "port": 5433}
PEERS = [Upstream("203.0.113.132", 5432), Upstream("db3", 5434, "repl")]
ODD = {**MEMBER, "data_directory": "/srv/a:b,c=d", "user": "pg", "unit": "db-\\x2d:x.service"}
MINE = Lease("payments-db", "run-a", 8)
VISUDO = shutil.which("visudo", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
POSTGRESQL = "continuity.dr.engine_postgresql"

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
        act.arm(*common, 30),
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


PLAN = yaml.safe_load((TOP / "inventories" / "lab" / "plan.yml").read_text(encoding="utf-8"))
CONSUMER = yaml.safe_load((TOP / "examples" / "consumer" / "plan.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("member", ["db1", "db2"])
def test_the_labs_sudoers_file_is_what_is_written_for_the_labs_plan(member):
    file = TOP / "tests" / "lab" / "member" / f"{member}.sudoers"
    assert file.read_text(encoding="utf-8") == files_of(PLAN, "continuity")[file.name]


@pytest.mark.parametrize("member", ["db1", "db2"])
@pytest.mark.parametrize("suffix", ["", ".service", ".timer"])
def test_the_labs_timers_are_what_is_written_for_the_labs_plan(member, suffix):
    name = f"continuity-backup-payments{suffix}"
    text = (TOP / "tests" / "lab" / "member" / name).read_text(encoding="utf-8")
    assert text == files_of(PLAN, "continuity")[f"{member}.{name}"]


@pytest.mark.parametrize("member", ["pg-north-1", "pg-south-1"])
def test_a_login_of_another_name_may_run_what_the_scripts_of_that_plan_run_and_no_more(member):
    """Other machines, cluster, port, data directory, replication user and login than in any default."""
    rules = lines_of(files_of(CONSUMER, "dbops")[f"{member}.sudoers"])
    service = CONSUMER["services"]["orders-db"]
    options = {each["host"]: {**service["engine"], **each} for each in service["members"]}
    cluster = Cluster.from_member(options.pop(member))
    (peer,) = (Upstream.from_member(each) for each in options.values())
    assert allowed(rules) == used(cluster, peer)
    assert all(rule.startswith("dbops ALL=") for rule in rules)
    text = "\n".join(rules)
    for own in ("15-orders", "/srv/pg/orders", "-p 6543", r"user\=orders_repl"):
        assert own in text
    for default in ("/var/lib/postgresql/15", "5432", "replicator", "main"):
        assert default not in text


@pytest.mark.parametrize("plan", [PLAN, CONSUMER], ids=["lab", "consumer"])
def test_sudo_can_read_the_files(plan, tmp_path):
    assert VISUDO, "visudo is not installed (make packages; Debian: apt-get install sudo)"
    path = tmp_path / "sudoers"
    for name, text in files_of(plan, "db-ops.2").items():
        if name.endswith(".sudoers"):
            path.write_text(text, encoding="utf-8")
            subprocess.run([VISUDO, "--check", "--strict", f"--file={path}"], check=True, capture_output=True)
    path.write_text(text.replace("grant", "x ALL=(root NOPASSWD"), encoding="utf-8")
    assert subprocess.run([VISUDO, "--check", f"--file={path}"], check=False, capture_output=True).returncode != 0


def test_every_member_has_its_own_paths_and_peers():
    services = {
        "a": {
            "engine": {"role": POSTGRESQL, "cluster": "15/a"},
            "name": "a",
            "members": [
                {"host": "db1", "cluster": "15/a"},
                {"host": "db2", "cluster": "15/a", "port": 5434, "data_directory": "/srv/a"},
            ],
        }
    }
    files = gather(services, {"db1": "me", "db2": "you"}).files
    first, second = files["db1.sudoers"], files["db2.sudoers"]
    assert "/var/lib/postgresql/15/a" in first and "/srv/a" not in first
    assert "/srv/a" in second and "/var/lib/postgresql" not in second
    assert r"host\=db2 port\=5434" in first and r"host\=db1 port\=5432" in second
    assert all(line.startswith("me ") for line in lines_of(first))
    assert all(line.startswith("you ") for line in lines_of(second))
    assert "systemctl kill" not in first, "without a fence nothing is killed"


def test_the_key_may_change_the_record_and_its_guard_and_nothing_else():
    files = files_of(CONSUMER, "dbops")
    assert files["shop.example.update-policy"].splitlines()[1:] == [
        "grant orders name orders-db.shop.example. A;",
        "grant orders name _continuity.orders-db.shop.example. TXT;",
    ]
    shared = files_of(PLAN, "continuity")["shop.example.update-policy"].splitlines()
    named = (TOP / "tests" / "lab" / "nameserver" / "bind" / "primary.conf").read_text(encoding="utf-8")
    assert len(shared) == 5 and sorted(shared[1:]) == sorted(re.findall(r"grant continuity .*;", named))


def test_the_database_gets_its_roles_without_a_password_and_with_nothing_special():
    files = files_of(CONSUMER, "dbops")
    assert set(files) == {
        "pg-north-1.sudoers",
        "pg-south-1.sudoers",
        "orders-db.sql",
        "orders-db.pg_hba.conf",
        "shop.example.update-policy",
    }
    sql = files["orders-db.sql"]
    assert 'CREATE ROLE "orders_repl" LOGIN REPLICATION' in sql and 'CREATE ROLE "orders_canary" LOGIN' in sql
    assert "SUPERUSER" not in sql and "PASSWORD '" not in sql
    assert "203.0.113.131/32" in files["orders-db.pg_hba.conf"]


@pytest.mark.parametrize(
    ("services", "login", "expected"),
    [
        ({}, "ALL, %wheel", 'login of db1: "ALL, %wheel" is no name'),
        ({"data_directory": "/srv/a b"}, "me", "services.a: data_directory '/srv/a b'"),
        ({"port": "all"}, "me", "services.a: port 'all'"),
    ],
)
def test_what_no_line_can_name_is_refused(services, login, expected):
    member = {"host": "db1", "cluster": "15/a", **services}
    with pytest.raises(ValueError, match=re.escape(expected)):
        gather({"a": {"name": "a", "engine": {"role": POSTGRESQL}, "members": [member]}}, {"db1": login})


def test_root_needs_no_lines_and_is_told_so():
    services = {"a": {"name": "a", "engine": {"role": POSTGRESQL}, "members": [{"host": "db1", "cluster": "15/a"}]}}
    text = gather(services, {"db1": "root"}).files["db1.sudoers"]
    assert lines_of(text) == [] and "login of its own" in text


def test_a_role_that_says_nothing_is_named_and_one_of_a_third_party_is_found(tmp_path, monkeypatch):
    service = {"name": "a", "engine": {"role": "acme.db.engine_x"}, "members": [{"host": "db1"}]}
    assert gather({"a": service}, {"db1": "me"}).unknown == [
        "services.a.engine: the role acme.db.engine_x does not say; see its README"
    ]
    theirs = types.ModuleType("theirs")
    theirs.rights = lambda service, part, known: Rights({"db1": ["me ALL=(root) NOPASSWD: /usr/bin/x -y"]})
    monkeypatch.setitem(sys.modules, "ansible_collections.acme.db.plugins.plugin_utils.rights.engine_x", theirs)
    for parent in ("acme", "acme.db", "acme.db.plugins", "acme.db.plugins.plugin_utils"):
        monkeypatch.setitem(sys.modules, f"ansible_collections.{parent}", types.ModuleType(parent))
    monkeypatch.setitem(
        sys.modules, "ansible_collections.acme.db.plugins.plugin_utils.rights", types.ModuleType("rights")
    )
    found = gather({"a": service}, {"db1": "me"})
    assert found.unknown == [] and lines_of(found.files["db1.sudoers"]) == ["me ALL=(root) NOPASSWD: /usr/bin/x -y"]


def test_a_provider_that_is_broken_is_not_taken_for_one_that_says_nothing(monkeypatch):
    def broken(path):
        raise ModuleNotFoundError("No module named 'left_pad'", name="left_pad")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="left_pad"):
        provider_of(POSTGRESQL)


def test_a_guard_may_set_read_and_delete_its_own_table_and_nothing_else():
    members = [
        {"host": "db1", "address": "198.51.100.11", "cluster": "15/a"},
        {"host": "db2", "address": "203.0.113.11"},
    ]
    fence = {
        "role": "continuity.dr.fence_network",
        "name": "fence_network",
        "members": {"db1": {"guards": ["gw1"]}, "db2": {"guards": ["db2"]}},
    }
    service = {"name": "a", "members": members, "fences": [fence], "engine": {"role": POSTGRESQL, "cluster": "15/a"}}
    for member in members:
        member.setdefault("cluster", "15/a")
    files = gather({"a": service}, {"db1": "me", "db2": "me"}).files
    guard = lines_of(files["gw1.guard.sudoers"])
    assert len(guard) == 3 and all("/usr/sbin/nft " in line and "continuity-a-db1" in line for line in guard)
    assert "continuity-a-db2" in files["db2.sudoers"] and "nft" not in files["db1.sudoers"]
