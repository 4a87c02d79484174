"""Snapshots, forks and the network of one that runs."""

import os

from e2b import Sandbox

from common import CASES, MADE, VERSION, Skipped, box, create, fails, now, same

OWN = []
# Whoever may not be reached takes no connection, or says nothing on it.
ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as to:
        to.settimeout(5)
        to.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        print("reached" if to.recv(1) else "none")
except OSError:
    print("none")
"""


def add():
    """Behind those of before, as all use one sandbox of theirs."""
    CASES.extend(OWN)


def case(function):
    OWN.append(function)
    return function


def reaches(sandbox, host, port):
    sandbox.files.write("/tmp/ask.py", ASK)
    return sandbox.commands.run(f"python3 /tmp/ask.py {host} {port}").stdout.strip()


def snapshots(**of):
    found = []
    pages = Sandbox.list_snapshots(limit=1, **of)
    while pages.has_next:
        found += [one.snapshot_id for one in pages.next_items()]
    return found


@case
def a_snapshot_outlives_its_sandbox_and_others_begin_with_its_files():
    one = create(envs={"GIVEN": "by the first"})
    one.files.write("kept", "before")
    snapshot = one.create_snapshot()
    one.files.write("kept", "after")
    same(one.files.read("kept"), "after", "what the first goes on with")
    one.kill()
    two = create(template=snapshot.snapshot_id)
    same(two.files.read("kept"), "before")
    same(two.commands.run("echo $GIVEN").stdout, "by the first\n")
    assert Sandbox.delete_snapshot(snapshot.snapshot_id)
    same(Sandbox.delete_snapshot(snapshot.snapshot_id), False, "deleting again")
    same(two.files.read("kept"), "before", "what is left of it")
    fails("SandboxException", "not found", Sandbox.create, template=snapshot.snapshot_id)
    two.kill()


@case
def snapshots_are_listed_by_their_sandbox():
    one, two = create(), create()
    own = [sandbox.create_snapshot().snapshot_id for sandbox in (one, one, two)]
    same([each for each in snapshots() if each in own], own[::-1], "the newest first")
    same(snapshots(sandbox_id=one.sandbox_id), [own[1], own[0]])
    for each in own:
        Sandbox.delete_snapshot(each)
    one.kill()
    two.kill()


@case
def a_snapshot_has_a_name_which_a_newer_one_takes_over():
    one = create()
    one.files.write("n", "1")
    first = one.create_snapshot(name="named-by-py")
    same(first.names, ["named-by-py"])
    one.files.write("n", "2")
    same(one.create_snapshot(name="named-by-py").snapshot_id, first.snapshot_id)
    two = create(template="named-by-py")
    same(two.files.read("n"), "2")
    assert Sandbox.delete_snapshot("named-by-py")
    one.kill()
    two.kill()


@case
def a_snapshot_with_memory_is_refused_in_plain_words():
    if VERSION < (2, 60):
        raise Skipped("the SDK does not ask")
    fails("SandboxException", "not supported by this server: it keeps files", box().create_snapshot, mode="full")
    one = box().create_snapshot(mode="filesystem")
    assert Sandbox.delete_snapshot(one.snapshot_id)


@case
def forks_are_sandboxes_of_their_own():
    one = create(metadata={"of": "forks"}, envs={"GIVEN": "x"}, timeout=600)
    one.files.write("n", "before")
    forks = one.fork(count=2, timeout=60)
    MADE.extend(forks)
    for at, fork in enumerate(forks):
        fork.files.write("n", str(at))
    same([fork.files.read("n") for fork in forks], ["0", "1"])
    same(one.files.read("n"), "before", "what they were forked from")
    same(forks[0].commands.run("echo $GIVEN").stdout, "x\n")
    same(forks[0].get_info().metadata, {"of": "forks"})
    assert (forks[0].get_info().end_at - now()).total_seconds() <= 60
    for each in (one, *forks):
        each.kill()


@case
def of_one_that_does_not_run_there_is_no_snapshot_and_no_fork():
    one = create()
    one.pause()
    fails("SandboxException", "paused", one.create_snapshot)
    fails("SandboxException", "paused", one.fork)
    one.kill()
    fails("NotFoundException", "", one.create_snapshot)
    fails("NotFoundException", "", one.fork)


@case
def what_may_be_reached_changes_while_it_runs():
    outside = os.environ.get("OUTSIDE")
    one = create(allow_internet_access=False)
    asked = lambda: reaches(one, *outside.split(":")) if outside else None
    seen = lambda: (one.get_info().allow_internet_access, asked())
    same(seen(), (False, outside and "none"), "at first")
    one.update_network({"allow_internet_access": True})
    same(seen(), (True, outside and "reached"), "with it")
    one.update_network({"deny_out": ["0.0.0.0/0"], "allow_out": ["192.0.2.7"]})
    same(asked(), outside and "none", "with a list that does not name it")
    one.update_network({})
    same(asked(), outside and "reached", "with no rules")
    fails("SandboxException", "ALL_TRAFFIC", one.update_network, {"allow_out": ["a.example"]})
    one.kill()
