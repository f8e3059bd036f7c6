# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary's ledger: one line for each numbered write, and what became of it.

The ledger is JSON Lines. A line with an `event` key tells that a client began or ended; every other line is one row:

    {"seq": 17, "outcome": "acknowledged", "sent": "2026-11-22T03:15:00.250113Z", "sent_ns": 81250113000,
     "done": "2026-11-22T03:15:00.252501Z", "done_ns": 81252501000, "address": "198.51.100.11", "port": 5432,
     "server": {"address": "198.51.100.11", "port": 5432, "system_id": "7710832137368515102", "timeline": 1,
                "in_recovery": false}}

`refused` and `in_doubt` rows carry `error` instead of `server`: {"class", "sqlstate", "message"}.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

Outcome = Literal["acknowledged", "refused", "in_doubt"]
OUTCOMES: tuple[Outcome, ...] = ("acknowledged", "refused", "in_doubt")


class LedgerError(ValueError):
    """A ledger that cannot be trusted; the text names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Which server answered, in its own words."""

    address: str | None
    port: int | None
    system_id: str
    """PostgreSQL's system identifier: the same on every member of one cluster, and on no other cluster."""
    timeline: int
    """Grows with every promotion, so it tells the new primary from the old one even at the same address."""
    in_recovery: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One write: the number it carried, when it was sent and answered, and by whom."""

    seq: int
    outcome: Outcome
    sent: float
    """Seconds since 1970."""
    done: float
    sent_ns: int
    """Monotonic clock: durations come from it, a corrected wall clock must not change an outage."""
    done_ns: int
    address: str | None = None
    """The address the client had connected to; None when the name gave none."""
    port: int | None = None
    server: Server | None = None
    error_class: str | None = None
    sqlstate: str | None = None
    message: str | None = None

    @property
    def acknowledged(self) -> bool:
        """The server said that this row is committed."""
        return self.outcome == "acknowledged"

    def is_from(self, addresses: frozenset[str]) -> bool:
        """Whether one of these addresses gave the answer: as the server names itself, or as the client reached it."""
        own = self.server.address if self.server else None
        return any(address is not None and same_form(address) in addresses for address in (own, self.address))


@dataclass(frozen=True)
class Ledger:
    """A whole ledger: its rows by number, and what its clients said of themselves."""

    rows: tuple[Row, ...]
    began: tuple[Mapping[str, Any], ...] = ()
    ended: tuple[Mapping[str, Any], ...] = ()
    torn: int = 0
    """Lines that a killed client left half written. Their rows are unknown and never counted."""

    @property
    def running(self) -> Mapping[str, Any] | None:
        """The `began` line of a client that has not written its end; None when every client said goodbye."""
        return self.began[-1] if len(self.began) > len(self.ended) else None

    @property
    def last_seq(self) -> int:
        """The highest number used; 0 in an empty ledger."""
        return self.rows[-1].seq if self.rows else 0


def parse(lines: Iterable[str]) -> Ledger:
    """Read a ledger from its lines.

    A line that is no JSON was torn by a kill and is counted. Raises LedgerError for a line that is JSON but no row, for
    a number used twice (two clients wrote) and for a monotonic clock that ran backwards (the machine was restarted).
    """
    rows: list[Row] = []
    began: list[Mapping[str, Any]] = []
    ended: list[Mapping[str, Any]] = []
    torn = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError:
            torn += 1
            continue
        event = data.get("event") if isinstance(data, dict) else None
        if event is None:
            rows.append(parse_row(data, number))
        elif event in ("began", "ended"):
            (began if event == "began" else ended).append(data)
    rows.sort(key=lambda row: row.seq)
    for before, after in zip(rows, rows[1:], strict=False):
        if before.seq == after.seq:
            raise LedgerError(f"row {after.seq} stands in the ledger twice: two clients wrote it")
        if after.done_ns < before.done_ns:
            raise LedgerError(
                f"the clock ran backwards at row {after.seq}: the ledger is older than the machine's last start"
            )
    return Ledger(tuple(rows), tuple(began), tuple(ended), torn)


def parse_row(data: Any, number: int = 0) -> Row:
    """One row from its JSON object; `number` is the line named in a LedgerError."""
    try:
        outcome = data["outcome"]
        if outcome not in OUTCOMES:
            raise LedgerError(f"line {number}: outcome {outcome!r} is none of {', '.join(OUTCOMES)}")
        server = Server(**data["server"]) if data.get("server") else None
        if outcome == "acknowledged" and server is None:
            raise LedgerError(f"line {number}: row {data['seq']} is acknowledged by nobody")
        error = data.get("error") or {}
        return Row(
            seq=int(data["seq"]),
            outcome=cast(Outcome, outcome),
            sent=parse_time(data["sent"]),
            done=parse_time(data["done"]),
            sent_ns=int(data["sent_ns"]),
            done_ns=int(data["done_ns"]),
            address=data.get("address"),
            port=data.get("port"),
            server=server,
            error_class=error.get("class"),
            sqlstate=error.get("sqlstate"),
            message=error.get("message"),
        )
    except LedgerError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"line {number}: not a row of a ledger ({type(error).__name__}: {error})") from None


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time. `parse_time("1970-01-01T00:00:01Z")` is `1.0`.

    Raises ValueError for anything else, and for a time without a zone: it would mean another moment on another machine.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} names no time zone; write for example {text}Z")
    return moment.timestamp()


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds. `format_time(1.0)` is `"1970-01-01T00:00:01.000000Z"`."""
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def same_form(address: str) -> str:
    """An address in its one shortest form, so that two spellings of it compare equal. A name is returned as it is."""
    try:
        return ipaddress.ip_address(address).compressed
    except ValueError:
        return address
