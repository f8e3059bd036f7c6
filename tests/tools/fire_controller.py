# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A controller as a process of its own: it claims at a real name server, takes leases, acts, and gives back.

It does what `roles/lease` and a walk do, in their order. It says a word for each thing it did and, where it is told to,
waits for a line before the next, so a test can stop or kill it just there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from under_fire import Field, mine

from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim import Claims
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.claim_rules import Claimant
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.clock import Clock
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Key, Target

CLAIM_SECONDS = 300


def target(name: str, port: int, secret: str) -> Target:
    """An endpoint of the test's own zone."""
    return Target(
        "shop.example.",
        name,
        (Address("127.0.0.1", port),),
        f"_continuity.{name}",
        Key("continuity.", "hmac-sha256", secret),
    )


class Controller:
    """One run's process. ``ahead``: seconds by which the test's time has gone on, kept in a file."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.field = Field.__new__(Field)
        self.field.home = Path(given["home"])
        self.field.members, self.field.log, self.field.bin = (
            tuple(given["members"]),
            self.field.home / "writers",
            self.field.home / "bin",
        )
        self.target = target(given["name"], given["port"], given["secret"])

    def now(self) -> float:
        return time.time() + float((self.field.home / "ahead").read_text()) + float(self.given.get("skew", 0))

    def claims(self, client: Client, **claimant: Any) -> Claims:
        run = self.given["run"]
        return Claims(self.target, Claimant(run, f"{run}@ops", CLAIM_SECONDS, **claimant), client, Clock(now=self.now))

    def say(self, word: str, **more: Any) -> None:
        print(json.dumps({"said": word, **more}), flush=True)
        if word in self.given.get("wait", ()):
            sys.stdin.readline()

    def work(self) -> None:
        with Client(self.target.servers, self.target.key, 5.0) as client:
            try:
                observed = self.claims(client).observe()["epoch"]
                self.say("observed", epoch=observed)
                claimed = self.claims(
                    client, observed_epoch=observed, break_run=self.given.get("break_run") or None
                ).claim()
            except DnsError as error:
                return self.say("refused", rule=error.reason)
            self.say("claimed", epoch=claimed["epoch"])
            held = mine(self.given["run"], claimed["epoch"])
            try:
                self.walk(held, claimed["usable_until"])
            finally:
                for member in self.field.members:
                    self.field.release(member, held)
                self.claims(client, epoch=held.epoch).release()
        return self.say("ended")

    def walk(self, held: Any, usable_until: float) -> None:
        for member in self.field.members:
            seconds = min(CLAIM_SECONDS - 30, int(usable_until - self.now()))
            if seconds <= 0:
                return self.say("refused", rule="lease_expired")
            done = self.field.acquire(
                member, held, seconds, break_run=self.given.get("break_run") or "", quiet_seconds=30
            )
            if done.rc != 0:
                return self.say("refused", rule=done.refused, member=member)
        self.say("held", epoch=held.epoch)
        acted = self.field.act(self.given["act_on"], held, self.given.get("process", "1"))
        return self.say("acted", rc=acted.rc, rule=acted.refused)


if __name__ == "__main__":
    Controller(json.loads(sys.argv[1])).work()
