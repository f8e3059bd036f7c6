# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write what an administrator installs; documented in plugins/modules/rights.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import rights, run
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Step, StepFailed

SERVICE = "continuity_service"


class ActionModule(Step):
    module = "rights"

    def step(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        current = run.current()
        if current is None:
            raise StepFailed("there is no plan in this playbook: run continuity.dr.rights", reason="no_plan")
        hostvars = task_vars["hostvars"]
        services = {
            name: {**service, "endpoints": self._with_key_names(service["endpoints"], hostvars.raw_get(name)[SERVICE])}
            for name, service in current.services.items()
        }
        members = dict.fromkeys(member["host"] for service in services.values() for member in service["members"])
        try:
            needs = rights.gather(services, _logins(members, args["login"], hostvars))
        except ValueError as error:
            raise StepFailed(f"no file was written:\n  {error}", reason="bad_input") from None
        return self._written(Path(args["directory"]), needs)

    def _with_key_names(self, endpoints: list[dict[str, Any]], written: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The endpoints with the names of their keys. Secrets stay closed: they need not exist yet."""
        found = []
        for endpoint, raw in zip(endpoints, written["endpoints"], strict=True):
            key = raw.get("key")
            name = self._templar.template(key["name"]) if isinstance(key, Mapping) and "name" in key else None
            found.append({**endpoint, "key_name": name})
        return found

    def _written(self, directory: Path, needs: rights.Needs) -> dict[str, Any]:
        """Write what differs, and tell."""
        diff = []
        for name, text in needs.files.items():
            path = directory / name
            try:
                before = path.read_text(encoding="utf-8") if path.exists() else ""
                if before == text:
                    continue
                if not self.check_mode:
                    directory.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise StepFailed(f"{path}: {error.strerror}; name a directory with -e rights_dir=...") from None
            diff.append({"before_header": str(path), "after_header": str(path), "before": before, "after": text})
        paths = [str(directory / name) for name in sorted(needs.files)]
        self._display.display("\n".join(["", *paths, *(f"not known: {text}" for text in needs.unknown), ""]))
        result: dict[str, Any] = {"changed": bool(diff), "paths": paths, "unknown": list(needs.unknown)}
        return {**result, "diff": diff} if self.diff_mode else result


def _logins(members: Mapping[str, Any], login: str | None, hostvars: Mapping[str, Any]) -> dict[str, str]:
    """Who logs in to each member: as told, else as the inventory has it."""
    logins = {member: login or hostvars[member].get("ansible_user") for member in members}
    missing = [
        f"{member}: ansible_user is not set; allowed: the login's name, in the inventory or with -e rights_login=..."
        for member, name in logins.items()
        if not name
    ]
    if missing:
        raise ValueError("\n  ".join(missing))
    return {member: str(name) for member, name in logins.items()}
