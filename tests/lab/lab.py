# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab: two sites, a witness and a link between them, on this machine's Docker engine. See docs/lab.md."""

from __future__ import annotations

import sys

import containers
import credentials
import engine
import image
import provision
from say import LabError, step


def up() -> int:
    client = engine.connect()
    changes = ["the image"] if image.ensure(client) else []
    changes += ["keys"] if credentials.ensure() else []
    changes += containers.ensure_networks(client)
    changes += containers.ensure_containers(client, image.tag())
    changes += provision.ensure(client)
    step(f"up; changed: {', '.join(changes) or 'nothing'}")
    return 0


if __name__ == "__main__":
    try:
        up()
    except LabError as e:
        sys.exit(str(e))
