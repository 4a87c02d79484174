"""What the cases share: the SDK, and how they say what they saw."""

import datetime
import time
import urllib.error
import urllib.request
from importlib.metadata import version

import e2b
from e2b import Sandbox

VERSION = tuple(int(part) for part in version("e2b").split(".")[:2])
CASES = []
MADE = []


class Skipped(Exception):
    pass


def case(function):
    CASES.append(function)
    return function


def same(seen, wanted, what="it"):
    assert seen == wanted, f"{what} is {seen!r}, not {wanted!r}"


def fails(kind, words, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except Exception as error:  # noqa: BLE001
        names = [of.__name__ for of in type(error).__mro__]
        assert kind in names, f"{type(error).__name__} ({error}), not {kind}"
        assert words in str(error), f"the message is {error}"
        return error
    raise AssertionError(f"it did not fail as {kind}")


def until(condition, what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not in time: {what}")


def create(**options):
    sandbox = Sandbox.create(**options)
    MADE.append(sandbox)
    return sandbox


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class World:
    """The one that most cases use."""

    box = None


def box():
    return World.box


def fetch(url, data=None, headers=None):
    request = urllib.request.Request(url, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def listed(**query):
    all_of = []
    pages = Sandbox.list(query=e2b.SandboxQuery(**query), limit=2)
    while pages.has_next:
        all_of += pages.next_items()
    return all_of
