# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run ansible-test sanity on a fresh copy of the working tree, with nothing but a Python package index at hand.

ansible-test makes an environment for each of its tests and bootstraps pip there with a script that it downloads from
its own project's file host. It looks in a cache first and invites you to place the script there by hand; so this places
one that uses the pip which Python ships. What was cached already is left alone.

A test whose program is not installed is left out by ansible-test with a warning, and the whole succeeds. Here it fails.

Example: ``sanity.py build/copy/ansible_collections/continuity/dr --test validate-modules``
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from copy_tree import copy_tree

TOP = Path(__file__).resolve().parents[2]
CACHE = Path("~/.ansible/test/cache").expanduser()
BOOTSTRAP = '''"""Bootstrap pip from the one that Python ships. Placed by continuity.dr; delete it at will."""
import ensurepip
import subprocess
import sys

ensurepip.bootstrap(default_pip=True)
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
'''

#: How ansible-test says that it left out a test that it was asked for. One "unsupported" on this Python was not.
LEFT_OUT = re.compile(r'Required program ".*" not found|Skipping sanity test .* (?:could not be found|due to missing)')


def left_out(said: Iterable[str]) -> Iterator[str]:
    """What ansible-test says of tests it should have run and did not, each thing once.

    >>> list(left_out(['Running sanity test "shellcheck"', 'WARNING: Required program "shellcheck" not found.']))
    ['Required program "shellcheck" not found.']
    """
    seen = set()
    for line in said:
        message = line.strip().removeprefix("WARNING: ")
        if LEFT_OUT.search(message) and message not in seen:
            seen.add(message)
            yield message


def run(command: list[str], where: Path, environment: dict[str, str]) -> int:
    """Run ansible-test, showing what it says while it says it; return 1 where it succeeded and left something out."""
    said = []
    with subprocess.Popen(
        command, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            said.append(line)
    missing = list(left_out(said))
    for message in missing:
        print(f"ansible-test sanity: not everything ran: {message} On Debian as root: make packages")
    if process.returncode == 0 and not missing:
        print("ansible-test sanity: no findings")
    return process.returncode or bool(missing)


def bootstrap_version() -> str:
    """Return the pip version whose bootstrap script this ansible-test asks for (it is a constant in its source)."""
    package = importlib.util.find_spec("ansible_test")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("ansible-test is not installed: make venv")
    source = Path(package.submodule_search_locations[0], "_internal", "python_requirements.py")
    found = re.search(r"pip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if not found:
        raise SystemExit("this ansible-test does not say which pip it bootstraps; look at tests/tools/sanity.py")
    return found.group(1)


def place_bootstrap() -> None:
    """Put the bootstrap script where ansible-test looks before it downloads one."""
    script = CACHE / f"get_pip_{bootstrap_version().replace('.', '_')}.py"
    if not script.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        script.write_text(BOOTSTRAP, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Copy the tree, run the tests there; return ansible-test's exit code."""
    target = TOP / arguments[0]
    copy_tree(TOP, target)
    place_bootstrap()
    # Its own tree is the collection: the link under build/collections would be a second one of the same name.
    environment = {key: value for key, value in os.environ.items() if key != "ANSIBLE_COLLECTIONS_PATH"}
    # Named, or ansible-test climbs to the checkout's .git and finds that git ignores all of the copy.
    environment["ANSIBLE_TEST_CONTENT_ROOT"] = str(target)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = ["ansible-test", "sanity", "--local", "--python", version, "--color", "no", *arguments[1:]]
    return run(command, target, environment)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
