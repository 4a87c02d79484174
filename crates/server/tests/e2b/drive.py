"""E2B's own Python SDK, unmodified, against a Lamplight server: each case prints one line. What is expected is what E2B's documentation
and protocol say, not what this server happens to do."""

import base64
import datetime
import json
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import e2b
from e2b import Sandbox

from common import CASES, MADE, VERSION, Skipped, World, box, case, create, fails, fetch, listed, now, same, until
import interpreter
import more
import snapshots
import templates
from snapshots import reaches

# Control plane


@case
def a_sandbox_is_made_and_told_of():
    World.box = create(metadata={"a": "b c", "é&=": "%"}, envs={"GIVEN": "one two"}, timeout=600)
    info = box().get_info()
    same((info.sandbox_id, info.state.value, info.template_id), (box().sandbox_id, "running", "base"))
    same(info.metadata, {"a": "b c", "é&=": "%"})
    left = (info.end_at - now()).total_seconds()
    assert 500 < left <= 600, left
    assert box().is_running()


@case
def its_time_is_set_and_may_be_shorter():
    end = lambda: (box().get_info().end_at - now()).total_seconds()
    box().set_timeout(100)
    assert end() <= 100
    Sandbox.set_timeout(box().sandbox_id, 600)
    assert end() > 500


@case
def connecting_makes_its_time_no_shorter():
    other = Sandbox.connect(box().sandbox_id, timeout=1)
    same(other.sandbox_id, box().sandbox_id)
    assert (box().get_info().end_at - now()).total_seconds() > 500
    same(other.commands.run("echo here").stdout, "here\n")


@case
def lists_are_narrowed_by_metadata_and_come_in_pages():
    own = f"py-{time.time()}"
    three = [create(metadata={"own": own, "n": str(n)}) for n in range(3)]
    same(sorted(one.sandbox_id for one in listed(metadata={"own": own})), sorted(one.sandbox_id for one in three))
    same(len(listed(metadata={"own": own, "n": "2"})), 1)
    same([one.sandbox_id for one in listed(metadata={"a": "b c", "é&=": "%"})], [box().sandbox_id])
    same(listed(metadata={"own": own}, state=[e2b.SandboxState.PAUSED]), [])
    for one in three:
        one.kill()
    same(listed(metadata={"own": own}), [])


@case
def what_is_killed_is_gone():
    one = create()
    assert one.kill()
    same(one.kill(), False, "killing again")
    same(Sandbox.kill(one.sandbox_id), False, "killing by its id")
    same(one.is_running(), False, "running")
    fails("NotFoundException", "", Sandbox.connect, one.sandbox_id)
    fails("NotFoundException", "", one.get_info)
    fails("TimeoutException", "", one.files.read, "x")


@case
def an_id_that_never_was_is_not_found():
    fails("NotFoundException", "", Sandbox.get_info, "i0123456789abcdefghij")
    fails("NotFoundException", "", Sandbox.connect, "01jd5zk8w3q4r6t7v8x9y0z1a2")


@case
def a_template_that_is_not_there_is_not_found():
    fails("SandboxException", "template 'no-such-template' not found", Sandbox.create, "no-such-template")


@case
def a_time_that_cannot_be_is_refused():
    fails("SandboxException", "Timeout cannot be greater than", Sandbox.create, timeout=1000 * 3600)
    fails("SandboxException", "Timeout must be greater than 0", box().set_timeout, -1)


@case
def a_key_that_is_none_is_refused():
    fails("AuthenticationException", "", Sandbox.kill, box().sandbox_id, api_key="e2b_")


@case
def its_end_comes_in_time():
    one = create(timeout=2)
    until(lambda: not one.is_running(), "the end of a sandbox")
    fails("NotFoundException", "", one.get_info)


@case
def the_same_key_gives_the_same_sandbox():
    if VERSION < (2, 61):
        raise Skipped("the SDK has no idempotency_key")
    key = f"key-{int(time.time())}"
    one, two = create(idempotency_key=key), create(idempotency_key=key)
    same(one.sandbox_id, two.sandbox_id)
    one.kill()


@case
def pausing_keeps_processes_and_memory():
    one = create()
    loop = "n=0; while true; do n=$((n+1)); echo $n > /tmp/n; sleep 0.05; done"
    handle = one.commands.run(loop, background=True)
    until(lambda: one.files.exists("/tmp/n"), "the loop")
    pause = one.pause if hasattr(one, "pause") else one.beta_pause
    pause()
    same(one.is_running(), False, "running")
    same(Sandbox.get_info(one.sandbox_id).state.value, "paused")
    again = Sandbox.connect(one.sandbox_id, timeout=60)
    before = int(again.files.read("/tmp/n") or 0)
    until(lambda: int(again.files.read("/tmp/n") or 0) > before, "the loop going on")
    assert any(each.pid == handle.pid for each in again.commands.list())
    again.kill()


@case
def at_its_end_it_is_paused_where_that_is_asked_for():
    one = create(timeout=2, lifecycle={"on_timeout": "pause"})
    until(lambda: one.get_info().state.value == "paused", "the pause")
    one.connect()
    same(one.commands.run("echo on").stdout, "on\n")
    one.kill()


@case
def one_that_is_paused_wakes_for_who_asks():
    one = create(timeout=60, lifecycle={"on_timeout": "pause", "auto_resume": True})
    one.files.write("/tmp/kept", "x")
    (one.pause if hasattr(one, "pause") else one.beta_pause)()
    same(one.files.read("/tmp/kept"), "x")
    one.kill()


@case
def what_it_uses_is_told():
    metric = box().get_metrics()[0]
    assert metric.mem_total > 0 and metric.mem_used > 0 and metric.cpu_count >= 1, metric


# Commands


@case
def a_command_says_what_it_says_each_output_for_itself():
    result = box().commands.run("echo out; echo err >&2")
    same((result.exit_code, result.stdout, result.stderr), (0, "out\n", "err\n"))


@case
def a_command_that_fails_is_an_error_with_its_number():
    error = fails("CommandExitException", "", box().commands.run, "echo before; exit 7")
    same((error.exit_code, error.stdout), (7, "before\n"))


@case
def a_command_that_is_killed_by_a_signal_says_so():
    error = fails("CommandExitException", "", box().commands.run, "kill -9 $$")
    same(error.error, "signal: killed")


@case
def output_comes_while_the_command_runs():
    handle = box().commands.run("echo one; sleep 0.3; echo two", background=True)
    pieces = [(out, time.time()) for out, _, _ in handle if out]
    same("".join(out for out, _ in pieces), "one\ntwo\n")
    assert pieces[-1][1] - pieces[0][1] > 0.2, "the second came later"


@case
def output_of_many_bytes_comes_whole():
    result = box().commands.run("seq 1 200000 | tee /dev/stderr", timeout=120)
    wanted = "".join(f"{n}\n" for n in range(1, 200001))
    assert result.stdout == wanted and result.stderr == wanted, (len(result.stdout), len(result.stderr))


@case
def environment_and_folder_are_as_they_are_given():
    result = box().commands.run('echo "$GIVEN|$MORE|$E2B_SANDBOX|$PWD"', envs={"MORE": "a b"}, cwd="/tmp")
    same(result.stdout, "one two|a b|true|/tmp\n")
    same(box().commands.run("echo $GIVEN", envs={"GIVEN": "other"}).stdout, "other\n")


@case
def a_folder_that_is_not_there_is_an_error():
    words = "cwd '/no/such/folder' does not exist"
    fails("InvalidArgumentException", words, box().commands.run, "true", cwd="/no/such/folder")


@case
def a_command_is_the_user_unless_it_is_root():
    same(box().commands.run("whoami; pwd; echo $HOME").stdout, "user\n/home/user\n/home/user\n")
    same(box().commands.run("whoami; pwd; echo $HOME", user="root").stdout, "root\n/root\n/root\n")
    fails("AuthenticationException", "invalid username: 'nobody-here'", box().commands.run, "true", user="nobody-here")


@case
def a_command_that_takes_too_long_is_killed():
    fails("TimeoutException", "", box().commands.run, "exec -a too-long-py sleep 600", timeout=1)
    count = lambda: box().commands.run("pgrep -fc '[t]oo-long-py' || true").stdout.strip()
    until(lambda: count() == "0", "its end")


@case
def what_runs_in_the_background_is_listed_followed_and_killed():
    handle = box().commands.run("echo begun; exec sleep 600", background=True)
    assert any(each.pid == handle.pid for each in box().commands.list())
    other = box().commands.connect(handle.pid)
    same(other.pid, handle.pid)
    assert box().commands.kill(handle.pid)
    fails("CommandExitException", "", handle.wait)
    fails("CommandExitException", "", other.wait)
    same(box().commands.kill(handle.pid), False, "killing again")


@case
def a_process_goes_on_when_nobody_follows_it():
    handle = box().commands.run("sleep 0.5; echo late > /tmp/late", background=True)
    handle.disconnect()
    until(lambda: box().files.exists("/tmp/late"), "what it writes")


@case
def input_reaches_a_command_and_ends():
    handle = box().commands.run("cat; echo over", background=True, stdin=True)
    box().commands.send_stdin(handle.pid, "one ")
    box().commands.send_stdin(handle.pid, "two\n")
    if hasattr(box().commands, "close_stdin"):
        box().commands.close_stdin(handle.pid)
        same(handle.wait().stdout, "one two\nover\n")
    else:
        handle.kill()


@case
def input_is_streamed():
    if not hasattr(box().commands, "stream_input"):
        raise Skipped("the SDK cannot")
    handle = box().commands.run("wc -c", background=True, stdin=True)
    box().commands.stream_input(handle.pid, ("x" * 1000 for _ in range(100)))
    box().commands.close_stdin(handle.pid)
    same(handle.wait().stdout.strip(), "100000")


@case
def input_for_a_process_that_is_not_there_is_an_error():
    fails("NotFoundException", "process with pid 999999 not found", box().commands.send_stdin, 999999, "x")
    fails("NotFoundException", "", box().commands.connect, 999999)


@case
def many_commands_at_once_all_answer():
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda n: box().commands.run(f"echo {n}").stdout.strip(), range(60)))
    same(said, [str(n) for n in range(60)])


# Terminals


@case
def a_terminal_shows_takes_keys_and_is_resized():
    pty = box().pty.create(e2b.PtySize(rows=30, cols=90), envs={"OWN": "mine"})
    shown, status = [], []

    def follow():
        try:
            pty.wait(on_pty=lambda data: shown.append(data))
        except e2b.CommandExitException as error:
            status.append(error.exit_code)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    text = lambda: b"".join(shown).decode(errors="replace")
    box().pty.send_stdin(pty.pid, b'stty size; echo "$OWN $TERM"\n')
    until(lambda: "30 90" in text() and "mine xterm-256color" in text(), "the size")
    box().pty.resize(pty.pid, e2b.PtySize(rows=40, cols=120))
    box().pty.send_stdin(pty.pid, b"stty size\n")
    until(lambda: "40 120" in text(), f"the new size in {text()}")
    box().pty.send_stdin(pty.pid, b"exit 3\n")
    thread.join(20)
    same(status, [3])


@case
def a_terminal_is_killed():
    pty = box().pty.create(e2b.PtySize(rows=24, cols=80), user="root", cwd="/tmp")
    assert box().pty.kill(pty.pid)
    fails("CommandExitException", "", pty.wait)
    same(box().pty.kill(pty.pid), False, "killing again")


# Files


@case
def a_text_is_written_and_read():
    info = box().files.write("text.txt", "hello é")
    same((info.path, info.name), ("/home/user/text.txt", "text.txt"))
    same(box().files.read("/home/user/text.txt"), "hello é")
    same(box().commands.run('stat -c "%U %a" text.txt').stdout, "user 644\n")
    box().files.write("text.txt", "short")
    same(box().files.read("~/text.txt"), "short")


@case
def bytes_of_all_kinds_come_back_as_they_went():
    data = bytes(n * 7 % 256 for n in range(300000))
    box().files.write("/tmp/bytes", data)
    same(bytes(box().files.read("/tmp/bytes", format="bytes")) == data, True)
    same(b"".join(box().files.read("/tmp/bytes", format="stream")) == data, True)


@case
def a_file_is_written_as_it_is_read():
    with open(os.path.join(os.path.dirname(__file__), "drive.py"), "rb") as own:
        box().files.write("own.py", own)
    same(len(box().files.read("own.py", format="bytes")), os.path.getsize(__file__))


@case
def compressed_uploads_arrive_plain():
    try:
        box().files.write("compressed", "é" * 100000, gzip=True)
    except TypeError as missing:
        raise Skipped("the SDK cannot") from missing
    same(box().files.read("compressed") == "é" * 100000, True)


@case
def several_files_are_written_at_once():
    write = getattr(box().files, "write_files", box().files.write)
    done = write([{"path": "many/a.txt", "data": "a"}, {"path": "/tmp/many/b.txt", "data": b"b"}])
    same([one.path for one in done], ["/home/user/many/a.txt", "/tmp/many/b.txt"])
    same((box().files.read("many/a.txt"), box().files.read("/tmp/many/b.txt")), ("a", "b"))


@case
def a_file_that_is_not_there_is_not_found():
    fails("NotFoundException", "path '/no/such/file' does not exist", box().files.read, "/no/such/file")
    same(box().files.exists("/no/such/file"), False)
    fails("NotFoundException", "", box().files.get_info, "/no/such/file")


@case
def a_folder_is_no_file():
    fails("InvalidArgumentException", "path '/tmp' is a directory", box().files.read, "/tmp")
    fails("InvalidArgumentException", "", box().files.write, "/tmp", "x")


@case
def files_of_root_are_not_the_users():
    path = box().files.write("secret", "x", user="root").path
    same(box().files.read(path, user="root"), "x")
    fails("SandboxException", "", box().files.read, path)
    fails("SandboxException", "", box().files.write, "/etc/mine", "x")


@case
def folders_are_made_once():
    assert box().files.make_dir("made/deep/er")
    same(box().files.make_dir("made/deep/er"), False, "making again")


@case
def folders_are_listed_as_deep_as_is_asked_for():
    box().commands.run("mkdir -p tree/b/c; echo x > tree/a; echo x > tree/b/c/e; ln -s a tree/link")
    names = lambda depth: [one.path[len("/home/user/tree/") :] for one in box().files.list("tree", depth=depth)]
    same(names(1), ["a", "b", "link"])
    same(names(9), ["a", "b", "b/c", "b/c/e", "link"])
    fails("InvalidArgumentException", "", box().files.list, "tree/a")
    fails("NotFoundException", "", box().files.list, "/no/such")


@case
def what_is_told_of_files_is_so():
    box().commands.run("printf 12345 > told; chmod 640 told; ln -sf told to-told")
    info = box().files.get_info("told")
    same((info.name, info.type.value, info.size, info.mode), ("told", "file", 5, 0o640))
    same((info.permissions, info.owner, info.group), ("-rw-r-----", "user", "user"))
    link = box().files.get_info("to-told")
    same((link.type.value, link.symlink_target), ("file", "/home/user/told"))


@case
def what_is_renamed_and_removed_is_so():
    box().files.write("old-name", "x")
    same(box().files.rename("old-name", "new/name").path, "/home/user/new/name")
    same(box().files.exists("old-name"), False)
    box().files.remove("new")
    same(box().files.exists("new/name"), False)
    box().files.remove("new")
    fails("NotFoundException", "", box().files.rename, "never-was", "x")


@case
def what_happens_in_a_folder_is_kept_until_it_is_asked_for():
    box().files.make_dir("watched/deep")
    handle = box().files.watch_dir("watched")
    deep = box().files.watch_dir("watched", recursive=True)
    box().files.write("watched/a", "x")
    box().commands.run("cd watched; chmod 600 a; mv a b; rm b; echo x > deep/c")
    seen, below = [], []

    def hear():
        seen.extend(f"{event.type.value} {event.name}" for event in handle.get_new_events())
        below.extend(f"{event.type.value} {event.name}" for event in deep.get_new_events())
        wanted = {"create a", "chmod a", "rename a", "create b", "remove b"}
        return wanted <= set(seen) and "write deep/c" in below

    until(hear, f"events in {seen} and {below}")
    same(handle.get_new_events(), [])
    handle.stop()
    deep.stop()
    fails("SandboxException", "", handle.get_new_events)


@case
def watching_what_is_not_there_or_no_folder_is_an_error():
    fails("NotFoundException", "", box().files.watch_dir, "/no/such")
    fails("SandboxException", "", box().files.watch_dir, "told")


@case
def what_is_to_be_kept_with_a_file_is_told_wherever_it_is():
    kept = {"kind": "", "made-by": 'a "program" ~'}
    for octets in (True, False):
        metadata = {"Made-By": 'a "program" ~', "kind": ""}
        info = box().files.write("kept/a", "x", metadata=metadata, use_octet_stream=octets)
        same(info.metadata, kept)
        same(box().files.get_info("kept/a").metadata, kept)
        same([(one.name, one.metadata) for one in box().files.list("kept")], [("a", kept)])
        same(box().files.rename("kept/a", "kept/b").metadata, kept)
        script = "import os; print(os.getxattr('kept/b', 'user.e2b.made-by').decode())"
        same(box().commands.run(f'python3 -c "{script}"').stdout, 'a "program" ~\n')
        box().files.write("kept/b", "y", metadata={"other": "one"})
        same(box().files.get_info("kept/b").metadata, {"other": "one"})
        box().files.write("kept/b", "z", use_octet_stream=octets)
        same(box().files.get_info("kept/b").metadata, None)
        box().files.remove("kept/b")


@case
def several_files_have_the_same_kept_with_them():
    files = [{"path": "kept/c", "data": "x"}, {"path": "kept/d", "data": "y"}]
    same([one.metadata for one in box().files.write_files(files, metadata={"of": "both"})], [{"of": "both"}] * 2)
    same([one.metadata for one in box().files.list("kept")], [{"of": "both"}] * 2)


@case
def more_than_may_be_kept_with_a_file_is_refused():
    fails("SandboxException", "metadata", box().files.write, "kept/long", "x", metadata={"k": "x" * 4096})
    many = {f"k{n}": "" for n in range(65)}
    fails("SandboxException", "metadata", box().files.write, "kept/many", "x", metadata=many)
    same([one.name for one in box().files.list("kept")], ["c", "d"])


@case
def events_that_are_kept_have_the_entry_of_what_is_there():
    handle = box().files.watch_dir("kept", include_entry=True, allow_network_mounts=True)
    plain = box().files.watch_dir("kept")
    box().files.write("kept/e", "xyz", metadata={"of": "e"})
    seen = []

    def heard(kind, name):
        seen.extend(handle.get_new_events())
        return [event for event in seen if (event.type.value, event.name) == (kind, name)]

    until(lambda: heard("create", "e"), "that it is made")
    entry = heard("create", "e")[0].entry
    same((entry.path, entry.type.value, entry.size, entry.metadata), ("/home/user/kept/e", "file", 3, {"of": "e"}))
    box().commands.run("chmod 600 kept/e")
    until(lambda: any(one.entry and one.entry.mode == 0o600 for one in heard("chmod", "e")), "its mode")
    box().files.rename("kept/e", "kept/f")
    box().files.remove("kept/f")
    until(lambda: heard("remove", "f") and heard("rename", "e"), "that it is gone")
    same([one.entry for one in heard("remove", "f") + heard("rename", "e")], [None, None])
    same([event.name for event in plain.get_new_events() if event.entry], [])
    handle.stop()
    plain.stop()


@case
def an_address_that_is_signed_is_enough():
    box().files.write("signed", "by the sdk")
    read = box().download_url("signed", use_signature_expiration=60)
    same(fetch(read), (200, b"by the sdk"))
    assert fetch(read.replace("signature=v1_", "signature=v1_x"))[0] in (401, 502)
    assert fetch(read.replace("path=signed", "path=told"))[0] in (401, 502)
    over = box().download_url("signed", use_signature_expiration=-5)
    status, body = fetch(over)
    same((status, json.loads(body)["message"]), (401, "signature is already expired"))
    write = box().upload_url("signed", use_signature_expiration=60)
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="signed"\r\n\r\nby the address\r\n--x--\r\n'
    )
    same(fetch(write, form, {"Content-Type": "multipart/form-data; boundary=x"})[0], 200)
    same(box().files.read("signed"), "by the address")


# Hostile, and strange


@case
def paths_with_dots_and_zeros_stay_in_the_sandbox():
    same(box().files.read("../../../../../../etc/hostname").strip(), "lamplight")
    box().commands.run("ln -sf /etc/hostname out")
    same(box().files.read("out").strip(), "lamplight")
    fails("SandboxException", "", box().files.read, "a\0b")
    fails("SandboxException", "", box().files.list, "a\0b")


@case
def what_is_asked_without_the_token_is_refused():
    api = os.environ.get("E2B_SANDBOX_URL") or f"https://49983-{box().sandbox_id}.{os.environ['E2B_DOMAIN']}"
    own = {"E2b-Sandbox-Id": box().sandbox_id, "E2b-Sandbox-Port": "49983", "Content-Type": "application/json"}
    for token in (None, "", "lml_" + "0" * 64):
        headers = own if token is None else {**own, "X-Access-Token": token}
        same(fetch(f"{api}/process.Process/List", b"{}", headers)[0], 401, token)
        same(fetch(f"{api}/files?path=told", None, headers)[0], 401, token)
    same(fetch(f"{api}/health", None, own)[0], 204)
    same(fetch(f"{api}/init", b"{}", own)[0], 404)
    same(fetch(f"{api}/process.Process/Nonsense", b"{}", {**own, "X-Access-Token": box()._envd_access_token})[0], 501)


@case
def messages_that_are_broken_are_refused():
    api = os.environ.get("E2B_SANDBOX_URL") or f"https://49983-{box().sandbox_id}.{os.environ['E2B_DOMAIN']}"
    own = {"E2b-Sandbox-Id": box().sandbox_id, "X-Access-Token": box()._envd_access_token}
    unary = {**own, "Content-Type": "application/json"}
    same(fetch(f"{api}/process.Process/SendInput", b"{", unary)[0], 400)
    stream = {**own, "Content-Type": "application/connect+json"}
    for body in (b"", b"\0\0\0\0", b"\0\xff\xff\xff\xff", b"\1\0\0\0\2{}", b"\0\0\0\0\1{", os.urandom(64)):
        status, said = fetch(f"{api}/process.Process/Start", body, stream)
        same((status, said[0], b"error" in said), (200, 2, True), body)


@case
def what_is_killed_in_the_middle_of_a_command_says_so():
    one = create()
    handle = one.commands.run("sleep 600", background=True)
    threading.Timer(0.5, lambda: Sandbox.kill(one.sandbox_id)).start()
    error = fails("SandboxException", "", handle.wait)
    assert not isinstance(error, e2b.CommandExitException), error


@case
def a_program_at_a_port_is_reached_by_its_host():
    if not os.environ.get("E2B_DOMAIN"):
        raise Skipped("one address is for all sandboxes")
    box().commands.run("mkdir -p /tmp/site; cd /tmp/site; echo inside > index.html")
    box().commands.run("cd /tmp/site && exec python3 -m http.server 8090", background=True)
    host = f"https://{box().get_host(8090)}"
    until(lambda: fetch(host) == (200, b"inside\n"), "the program")


@case
def without_the_internet_there_is_none():
    one = create(allow_internet_access=False)
    same(reaches(one, "1.1.1.1", 80), "none")
    one.kill()


failed = 0
snapshots.add()
templates.add()
interpreter.add()
more.add()
only = os.environ.get("ONLY")
for at, run in enumerate(CASES):
    if only and at and only not in run.__name__:
        continue
    name = run.__name__.replace("_", " ")
    try:
        run()
        print(f"ok {name}", flush=True)
    except Skipped as why:
        print(f"skipped {name}: {why}", flush=True)
    except Exception as error:  # noqa: BLE001
        failed += 1
        where = " | ".join(traceback.format_exc().splitlines())
        print(f"FAILED {name}: {error} | {where}", flush=True)
for sandbox in MADE:
    try:
        sandbox.kill()
    except Exception:  # noqa: BLE001
        pass
print(f"done {len(CASES)} {failed}", flush=True)
sys.stdout.flush()
os._exit(0)
