# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a canary is told: where to write, as whom, how fast, and when to stop.

The client reads it as one JSON object on its standard input, so that the password is in no argument and no environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import same_form

HIGHEST_RATE = 1000.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Login:
    """Where a database session goes and as whom. The address comes from the name, at every connection anew."""

    name: str
    """The endpoint's name, or an address."""
    database: str
    role: str
    password: str | None = field(default=None, repr=False)
    port: int = 5432
    ports: Mapping[str, int] = field(default_factory=dict)
    """Ports by address, where members listen on different ones."""
    sslmode: str = "prefer"
    resolvers: tuple[str, ...] = ()
    """Name servers to ask, as `address` or `address#port`; none means the system's resolver."""

    def port_of(self, address: str) -> int:
        """The port at one address of the name."""
        known = {same_form(member): port for member, port in self.ports.items()}
        return int(known.get(same_form(address), self.port))


@dataclass(frozen=True)
class Config:
    """Everything one client process needs."""

    service: str
    run_id: str
    ledger: str
    """Path of the ledger; it and its folder belong to the controller."""
    login: Login
    table: str = "continuity_canary"
    rate: float = 20.0
    """Writes a second while the service answers."""
    max_rows: int = 100_000
    """Rows acknowledged or in doubt, over all clients of one ledger: what the table can grow by."""
    max_seconds: float = 3600.0
    retry_seconds: float = 0.02
    answer_seconds: float = 1.0
    """The longest wait for a connection and for the answer to a write."""
    watch_pid: int | None = None
    """The client stops by itself when this process is gone; None: nobody is watched."""
    watch_mark: str = ""

    @property
    def stop_file(self) -> str:
        """Whoever creates this file stops the client."""
        return self.ledger.removesuffix(".jsonl") + ".stop"

    def to_json(self) -> str:
        """The form the client reads; it contains the password."""
        return json.dumps(asdict(self))


def from_json(text: str) -> Config:
    """Read and check what `Config.to_json` wrote. Raises CanaryError that names what is wrong and what is allowed."""
    data = json.loads(text)
    login = data.pop("login")
    login["resolvers"] = tuple(login.get("resolvers") or ())
    known = {one.name for one in fields(Config)}
    if set(data) - known:
        raise CanaryError(f"unknown setting {', '.join(sorted(set(data) - known))}", reason="bad_setting")
    return checked(Config(login=Login(**login), **data))


def checked(config: Config) -> Config:
    """`config` itself, or a CanaryError with every wrong setting, its value and what is allowed."""
    slug = "1 to 64 letters, digits, dots, hyphens and underscores"
    rules = (
        (_NAME.fullmatch(config.service), "service", config.service, slug),
        (_NAME.fullmatch(config.run_id), "run_id", config.run_id, slug),
        (0.1 <= config.rate <= HIGHEST_RATE, "rate", config.rate, f"0.1 to {HIGHEST_RATE:g} writes a second"),
        (config.max_rows >= 1, "max_rows", config.max_rows, "1 or more"),
        (config.max_seconds > 0, "max_seconds", config.max_seconds, "more than 0"),
        (config.login.name, "endpoint", config.login.name, "a name or an address"),
        (config.login.database, "database", config.login.database, "the name of a database"),
        (config.login.role, "role", config.login.role, "the name of a database role"),
    )
    wrong = [f"{name} {value!r}: allowed is {allowed}" for good, name, value, allowed in rules if not good]
    if wrong:
        raise CanaryError("the canary's settings are wrong: " + "; ".join(wrong), reason="bad_setting")
    quoted_table(config.table)
    return config


def quoted_table(table: str) -> str:
    """A table's name for use in SQL: `quoted_table("app.canary")` is `"app"."canary"`, in double quotes.

    Raises CanaryError for anything that is not one or two plain identifiers: nothing else gets near a statement.
    """
    parts = table.split(".")
    if len(parts) > 2 or not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise CanaryError(
            f"table {table!r}: allowed is a name, or schema.name, of letters, digits, _ and $", reason="bad_setting"
        )
    return ".".join(f'"{part}"' for part in parts)


def quoted_name(name: str) -> str:
    """Any identifier for use in SQL, for example a role: quotes in it are doubled. Raises CanaryError for none."""
    if not name or "\0" in name:
        raise CanaryError(f"{name!r} is not the name of a database role", reason="bad_setting")
    return '"' + name.replace('"', '""') + '"'
