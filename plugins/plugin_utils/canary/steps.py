# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The states of the step `canary`, from its validated arguments to its result. Raises CanaryError."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import control
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Config, Login, checked
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import in_use
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import LedgerError, parse_time
from ansible_collections.continuity.dr.plugins.plugin_utils.core.measurement import Fenced
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected
from ansible_collections.continuity.dr.plugins.plugin_utils.process import controller

if TYPE_CHECKING:
    from ansible_collections.continuity.dr.plugins.plugin_utils.canary.table import Table

Arguments = Mapping[str, Any]

START_SECONDS = 10.0
MEASURE_SECONDS = 30.0


def do(args: Arguments, check_mode: bool) -> dict[str, Any]:
    """Bring the canary into `args["state"]`; in check mode only say what would change."""
    states = {"set_up": _set_up, "started": _started, "measured": _measured, "stopped": _stopped}
    try:
        return states[args["state"]](args, check_mode)
    except LedgerError as error:
        raise CanaryError(f"the ledger {_ledger(args)} cannot be used: {error}", reason="bad_ledger") from None
    except OSError as error:
        raise CanaryError(f"the canary's files: {error}", reason="files") from None


def _set_up(args: Arguments, check_mode: bool) -> dict[str, Any]:
    """Make the table and grant the canary's role what it needs."""
    table = _table(args, _login(args, owner=True))
    try:
        if table.server.in_recovery:
            raise CanaryError(
                f"{args['endpoint']} leads to a standby ({table.server.address}); the table is made on the primary",
                reason="not_primary",
            )
        statements = table.missing(args["role"])
        if statements and not check_mode:
            _make(table, statements)
        return {"changed": bool(statements), "statements": statements}
    finally:
        table.close()


def _table(args: Arguments, login: Login) -> Table:
    """The table, asked through the driver: imported here, since a start does not need it and is waited for."""
    from ansible_collections.continuity.dr.plugins.plugin_utils.canary.table import Table

    return Table(login, args["table"])


def _make(table: Table, statements: list[str]) -> None:
    try:
        table.make(statements)
    except CanaryError as error:
        advice = "Next: run set_up with an owner, or run the SQL of docs/canary.md as one"
        raise CanaryError(f"the canary's table was not made: {error}. {advice}", reason="table_failed") from None


def _started(args: Arguments, check_mode: bool) -> dict[str, Any]:
    watch_pid, watch_mark = controller()
    config = checked(
        Config(
            service=args["service"],
            run_id=str(_needed(args, "run_id")),
            ledger=_ledger(args),
            login=_login(args),
            table=args["table"],
            rate=args["rate"],
            max_rows=args["max_rows"],
            max_seconds=args["max_seconds"],
            watch_pid=watch_pid,
            watch_mark=watch_mark,
        )
    )
    if check_mode:
        return {"changed": not in_use(config.ledger), "ledger": config.ledger}
    slowest = START_SECONDS + args["minimum_rows"] / config.rate
    return control.start(config, args["minimum_rows"], args["timeout_seconds"] or slowest)


def _measured(args: Arguments, check_mode: bool) -> dict[str, Any]:
    from ansible_collections.continuity.dr.plugins.plugin_utils.canary import measuring

    ledger = _ledger(args)
    if check_mode:
        return {"changed": False, "ledger": ledger, "measurement": None}
    request = measuring.Request(
        service=args["service"],
        run_id=str(_needed(args, "run_id")),
        stage=str(_needed(args, "stage")),
        ledger=ledger,
        login=_login(args),
        table=args["table"],
        window_start=_time(args.get("window_start"), "window_start"),
        fault_time=_time(args.get("fault_time"), "fault_time"),
        expected=_expected(args.get("expected")),
        fenced=[_fenced(one) for one in args.get("fenced") or ()],
        stable_for_seconds=args["stable_for_seconds"],
        timeout_seconds=args["timeout_seconds"] or MEASURE_SECONDS,
    )
    measurement = measuring.take(request)
    file = str(measuring.measurement_file(ledger))
    facts = {"continuity_canary": measurement}
    return {"changed": False, "ledger": ledger, "file": file, "measurement": measurement, "ansible_facts": facts}


def _stopped(args: Arguments, check_mode: bool) -> dict[str, Any]:
    ledger = _ledger(args)
    if check_mode:
        return {"changed": in_use(ledger), "ledger": ledger}
    result = control.stop(ledger)
    fenced = [_fenced(one) for one in args.get("fenced") or ()]
    if fenced and os.path.exists(ledger):
        from ansible_collections.continuity.dr.plugins.plugin_utils.canary import measuring

        result |= measuring.end(ledger, args["service"], str(_needed(args, "run_id")), fenced)
    if not args["purge"]:
        return result
    table = _table(args, _login(args, owner=args.get("owner") is not None))
    try:
        purged = table.purge(str(_needed(args, "run_id")))
    finally:
        table.close()
    return {**result, "changed": result["changed"] or purged > 0, "purged": purged}


def _login(args: Arguments, owner: bool = False) -> Login:
    """The canary's own login, or that of the table's owner where one is given."""
    as_owner = owner and args.get("owner") is not None
    return Login(
        name=str(_needed(args, "endpoint")),
        database=str(_needed(args, "database")),
        role=str(args["owner"] if as_owner else _needed(args, "role")),
        password=args.get("owner_password" if as_owner else "password"),
        port=args["port"],
        ports={str(address): int(port) for address, port in (args.get("ports") or {}).items()},
        sslmode=args["sslmode"],
        resolvers=tuple(args.get("resolvers") or ()),
    )


def _ledger(args: Arguments) -> str:
    directory = os.path.abspath(os.path.expanduser(str(_needed(args, "directory"))))
    return os.path.join(directory, f"{args['service']}.jsonl")


def _needed(args: Arguments, name: str) -> Any:
    if args.get(name) in (None, ""):
        raise CanaryError(f"state {args['state']} needs the option {name}", reason="bad_setting")
    return args[name]


def _expected(data: Mapping[str, Any] | None) -> Expected | None:
    if not data:
        return None
    system_id = data.get("system_id")
    return Expected(
        system_id=None if system_id is None else str(system_id),
        timeline=data.get("timeline"),
        addresses=frozenset(data.get("addresses") or ()),
    )


def _fenced(data: Mapping[str, Any]) -> Fenced:
    since = _time(data["since"], "fenced.since")
    if since is None:
        raise CanaryError("fenced.since: empty; allowed is a time as 2026-11-22T03:15:00Z", reason="bad_setting")
    until = _time(data.get("until"), "fenced.until")
    return Fenced(frozenset(data["addresses"]), since, until, str(data.get("member") or ""))


def _time(value: Any, name: str) -> float | None:
    """Seconds since 1970 of a number or an RFC 3339 time; None and an empty text are no time."""
    if value in (None, ""):
        return None
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return parse_time(str(value))
    except ValueError as error:
        raise CanaryError(f"{name}: {error}; allowed is a time as 2026-11-22T03:15:00Z", reason="bad_setting") from None
