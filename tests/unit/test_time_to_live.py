# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A record's time to live around whole verbs: what BIND 9 on loopback answers before, between and behind them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_world
import pytest
from dns_named import LOOPBACK, PRIMARY, SECRETS, ZONE, NameServers

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Change, Question, RecordSet
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client, ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.guard import Guard, parse_guard
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Key

HOME, AWAY = "198.51.100.11", "203.0.113.11"
NAME = f"payments-db.{ZONE}"
NORMAL, LOW = 3600, 5  # so long that no slow machine sees it end
ENDPOINT = """
    endpoints:
      - role: continuity.dr.endpoint_rfc2136
        name: {name}
        zone: {zone}
        servers: [{server}]
        authoritative: [{server}]
        port: {port}
        ttl: 1h
        {move_ttl}
        key: {{name: continuity, secret: "{{{{ name_server_key }}}}"}}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServers]:
    with NameServers(tmp_path_factory.mktemp("named"), which=(PRIMARY,)) as servers:
        yield servers


class World:
    """Verbs about one service whose record is on a real name server."""

    def __init__(
        self,
        folder: Path,
        servers: NameServers,
        run_ansible: Any,
        *,
        move_ttl: str = "move_ttl: 5s",
        arms: bool = False,
    ) -> None:
        self.folder, self.run_ansible = folder, run_ansible
        self.server = Address(LOOPBACK, servers.ports[PRIMARY])
        fake_world.lay(folder, arms=arms)
        members = f"members: [{{host: db1, address: {HOME}}}, {{host: db2, address: {AWAY}}}]"
        values = {"name": NAME, "zone": ZONE, "server": LOOPBACK, "port": self.server.port, "move_ttl": move_ttl}
        service = f"\n    function: payments\n    engine: {{role: acme.dr.engine_file}}\n    {members}"
        plan, found = re.subn(
            r" \{function: payments,.*\}\n", lambda _match: service + ENDPOINT.format(**values), fake_world.PLAN
        )
        assert found == 1
        (folder / "plan.yml").write_text(plan)
        engine = folder / "collections/ansible_collections/acme/dr/plugins/action/engine.py"
        text = engine.read_text()
        assert text.count('"epoch": 0') == 1
        engine.write_text(text.replace('"epoch": 0', '"epoch": None'))  # it keeps none, and the guard's goes up
        (folder / "key.json").write_text(json.dumps({"name_server_key": SECRETS["continuity"]}))
        self.put(HOME, NORMAL)

    def put(self, value: str, ttl: int, guard: Guard | None = None) -> None:
        """The record as an editor would write it, and the guard; without one there is none."""
        key = Key("continuity.", "hmac-sha256", SECRETS["continuity"])
        with Client((self.server,), key, 3.0) as client:
            text = (f'"{guard.text()}"',) if guard else ()
            sets = (RecordSet(NAME, "A", (value,), ttl), RecordSet(f"_continuity.{NAME}", "TXT", text, 5))
            assert client.change(Change(ZONE, (), sets))[0] == "NOERROR"

    def verb(self, name: str, *inputs: str, rc: int = 0, **environment: str) -> str:
        """Run a verb; return what it said."""
        extra = [word for each in ("scope=payments-db", *inputs) for word in ("-e", each)]
        sources = ["-i", "hosts.yml", "-i", "plan.yml", "-e", "@key.json"]
        done = self.run_ansible("playbook", *sources, f"continuity.dr.{name}", *extra, **self.environment(environment))
        assert done.returncode == rc, done.stdout
        return str(done.stdout)

    @staticmethod
    def environment(more: dict[str, str]) -> dict[str, str]:
        return {**fake_world.ENVIRONMENT, **more}

    def answer(self) -> tuple[str, int | None]:
        """What the name server gives out: the value and its time to live."""
        found = ask_server(self.server, Question(NAME, "A"), 3.0)
        return ",".join(found.values), found.ttl

    def guard(self) -> Guard:
        guard = parse_guard(ask_server(self.server, Question(f"_continuity.{NAME}", "TXT"), 3.0).values)
        assert guard is not None
        return guard

    def journal(self) -> list[dict[str, Any]]:
        """Every line about the service, of the runs in their order."""
        files = sorted(self.folder.glob("runs/*/journal/payments-db.jsonl"), key=lambda file: file.stat().st_mtime)
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def done(self) -> list[str]:
        return [entry["step"] for entry in self.journal() if entry["state"] == "done"]


@pytest.fixture
def world(tmp_path: Path, servers: NameServers, run_ansible: Any) -> World:
    return World(tmp_path, servers, run_ansible)


def changed(said: str) -> int:
    counts = re.findall(r"\bchanged=(\d+)", said)
    assert counts, said
    return sum(map(int, counts))


def test_prepared_an_hour_ahead_then_moved_and_moved_back(world: World) -> None:
    said = world.verb("switchover", "prepare=true", "target_site=dc2")
    assert world.answer() == (HOME, LOW)
    assert fake_world.done(world.folder) == [], "nothing was done at a member"
    assert "around the move; move it in 1h, at " in " ".join(said.split())
    assert changed(said) == 1
    guard = world.guard()
    assert (guard.state, guard.cached > 0) == ("released", True)

    again = world.verb("switchover", "prepare=true", "target_site=dc2")
    assert (changed(again), world.answer(), world.guard()) == (0, (HOME, LOW), guard)
    assert re.search(r"move it in (1h|\d+m( \d+s)?), at ", " ".join(again.split())), again

    said = world.verb("switchover", "target_site=dc2")
    assert world.answer() == (AWAY, NORMAL), "the normal time to live comes with the new value"
    assert world.done().count("lower_ttl") == 1, "it was low enough"
    assert "clients may keep the old address for" in " ".join(said.split()), "moved sooner than the caches allow"
    assert changed(world.verb("switchover", "target_site=dc2")) == 0
    assert (world.guard().state, world.guard().cached) == ("switched", 0)


def test_a_move_that_was_not_prepared_lowers_it_first_and_leaves_the_plans(world: World) -> None:
    said = world.verb("switchover", "target_site=dc2")
    assert "clients may keep the old address for 1h, until" in " ".join(said.split())
    steps = world.done()
    assert steps.index("lower_ttl") < steps.index("demote") < steps.index("point")
    lowered = next(e for e in world.journal() if (e["step"], e["state"]) == ("lower_ttl", "done"))["data"]
    pointed = next(e for e in world.journal() if (e["step"], e["state"]) == ("point", "done"))["data"]
    assert (lowered["after"]["ttl"], pointed["before"]["ttl"], pointed["after"]["ttl"]) == (LOW, LOW, NORMAL)
    assert LOW < pointed["held_seconds"] <= NORMAL + 1, "what caches were told before counts"
    assert world.answer() == (AWAY, NORMAL)
    assert changed(world.verb("switchover", "target_site=dc2")) == 0


@pytest.mark.parametrize("prepared", [False, True])
def test_a_move_that_is_undone_puts_it_back(world: World, prepared: bool) -> None:
    if prepared:
        world.verb("switchover", "prepare=true")
    world.verb("switchover", "target_site=dc2", rc=2, TEST_FAILING="demote db1")
    assert ["payments-db", "promote", "db1"] in fake_world.done(world.folder), "the old primary serves again"
    assert world.answer() == (HOME, NORMAL)
    assert (world.guard().state, world.guard().cached) == ("released", 0)


def test_a_run_that_was_killed_once_it_had_lowered_it_is_continued_to_the_plans(world: World) -> None:
    until = int(time.time()) + 300
    world.put(HOME, LOW, Guard(1, "run-killed", "claimed", until, "ann@control1", cached=until))
    said = world.verb("switchover", "target_site=dc2", "continuity_run_id=run-killed")
    assert "clients may keep the old address for" in " ".join(said.split()), "another run of it had lowered it"
    assert "lower_ttl" not in world.done()
    assert world.answer() == (AWAY, NORMAL)
    assert (world.guard().state, world.guard().cached) == ("switched", 0)


@pytest.mark.parametrize("stopped_by", [{"TEST_HELD": "another 5"}, {"TEST_FAILING": "arm db2"}])
def test_what_an_operator_prepared_stays_where_the_move_did_not_begin(
    tmp_path: Path, servers: NameServers, run_ansible: Any, stopped_by: dict[str, str]
) -> None:
    world = World(tmp_path, servers, run_ansible, arms=True)
    world.verb("switchover", "prepare=true")
    world.verb("switchover", "target_site=dc2", rc=2, **stopped_by)
    assert ["payments-db", "demote", "db1"] not in fake_world.done(world.folder)
    assert world.answer() == (HOME, LOW)


def test_what_the_move_itself_had_lowered_is_put_back_where_it_did_not_begin(
    tmp_path: Path, servers: NameServers, run_ansible: Any
) -> None:
    world = World(tmp_path, servers, run_ansible, arms=True)
    world.verb("switchover", "target_site=dc2", rc=2, TEST_FAILING="arm db2")
    assert world.done().count("lower_ttl") == 1
    assert (world.answer(), world.guard().cached) == ((HOME, NORMAL), 0)


def test_one_that_was_called_off_is_put_back_without_a_move(world: World) -> None:
    world.verb("switchover", "prepare=true")
    said = world.verb("switchover", "target_site=dc1")
    assert (changed(said), world.answer()) == (1, (HOME, NORMAL))
    assert "is not moved, it is where it shall be" in " ".join(said.split())
    assert fake_world.done(world.folder) == []
    assert changed(world.verb("switchover", "target_site=dc1")) == 0


def test_a_failback_is_prepared_without_its_rejoin(world: World) -> None:
    world.verb("switchover", "target_site=dc2")
    state = json.loads((world.folder / "world.json").read_text())
    state["payments-db"]["stopped"] = ["db1"]  # it would be brought back
    (world.folder / "world.json").write_text(json.dumps(state))
    before = fake_world.done(world.folder)
    said = world.verb("failback", "prepare=true")
    assert (world.answer(), fake_world.done(world.folder)) == ((AWAY, LOW), before)
    assert changed(said) == 1
    world.verb("failback")
    assert world.answer() == (HOME, NORMAL)


def test_check_mode_lowers_nothing_and_says_so(world: World) -> None:
    done = world.run_ansible(
        *("playbook", "-i", "hosts.yml", "-i", "plan.yml", "-e", "@key.json", "continuity.dr.switchover", "--check"),
        *("-e", "scope=payments-db", "-e", "prepare=true"),
        **world.environment({}),
    )
    assert done.returncode == 0, done.stdout
    assert "switchover is prepared: claim, " in " ".join(done.stdout.split())
    assert world.answer() == (HOME, NORMAL)


def test_without_a_move_ttl_nothing_is_different(tmp_path: Path, servers: NameServers, run_ansible: Any) -> None:
    world = World(tmp_path, servers, run_ansible, move_ttl="")
    said = world.verb("switchover", "prepare=true")
    assert (changed(said), world.answer()) == (0, (HOME, NORMAL))
    assert "gives it no move_ttl" in " ".join(said.split())
    said = world.verb("switchover", "target_site=dc2")
    assert "lower_ttl" not in world.done()
    assert "clients may keep" not in said
    assert world.answer() == (AWAY, NORMAL)
