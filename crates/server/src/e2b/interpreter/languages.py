"""The languages that there are, by all their names, and what runs each."""

import shutil
import subprocess
import sys
from pathlib import Path

NAMES = {
    "python": "python",
    "python3": "python",
    "javascript": "javascript",
    "js": "javascript",
    "typescript": "typescript",
    "ts": "typescript",
    "bash": "bash",
}
# What runs each. Who names no context has one of each of these.
PROGRAMS = {"python": "python", "javascript": "javascript", "typescript": "javascript", "bash": "bash"}
STRIPS_TYPES = "process.exit(require('node:module').stripTypeScriptTypes ? 0 : 1)"


class NoLanguage(Exception):
    pass


def known(name):
    """What a language is called here; `name` may be nothing, which is Python. Fails where it does not run."""
    language = NAMES.get(str(name or "python").lower())
    if language is None:
        raise NoLanguage(f"Language {name} is not supported here; python, javascript, typescript and bash are")
    if language in ("javascript", "typescript") and shutil.which("node") is None:
        raise NoLanguage(f"Language {language} needs node, and there is none in this template")
    if language == "typescript" and not strips_types():
        raise NoLanguage(f"Language typescript needs node 22.13 or newer, and this template has {version()}")
    if language == "bash" and shutil.which("bash") is None:
        raise NoLanguage("Language bash needs bash, and there is none in this template")
    return language


def strips_types():
    return subprocess.run(["node", "-e", STRIPS_TYPES], stdin=subprocess.DEVNULL).returncode == 0


def version():
    said = subprocess.run(["node", "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return said.stdout.strip()


def kernel(program):
    """What is started for a context, wherever it is started."""
    package = Path(__file__).parent
    module = "python" if program == "python" else "hosted"
    begin = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r}); "
        f"from {package.name} import {module}; del sys.path[0]; {module}.kernel({program!r})"
    )
    return [sys.executable, "-u", "-c", begin]
