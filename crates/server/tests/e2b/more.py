"""The same things with other values: names, paths, codes, sizes and orders that something could be wrong with."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import e2b
from e2b import Sandbox

from common import CASES, box, create, fails, listed, same, until

OWN = []


def add():
    """Behind those of before."""
    CASES.extend(OWN)


def case(function, name=None):
    function.__name__ = name or function.__name__
    OWN.append(function)
    return function


def each(values, name):
    """A case for each value."""

    def made(function):
        for value in values:
            case(lambda value=value: function(value), name.format(value[0] if isinstance(value, tuple) else value).replace(" ", "_"))
        return function

    return made


def run(command, **options):
    return box().commands.run(command, **options)


@each([1, 2, 126, 127, 128, 137, 255], "a command ends with {}")
def ends_with(code):
    error = fails("CommandExitException", "", run, f"exit {code}")
    same((error.exit_code, error.error), (code, f"exit status {code}"))


@each([("TERM", "terminated"), ("INT", "interrupt"), ("SEGV", "segmentation fault"), ("ABRT", "aborted")], "a command that SIG{} ends says so")
def ends_by(signal):
    same(fails("CommandExitException", "", run, f"kill -{signal[0]} $$; sleep 5").error, f"signal: {signal[1]}")


NAMES = {
    "blanks": " a  b ",
    "quotes": "it's \"so\"",
    "a backslash": "a\\b",
    "a percent sign": "100%25",
    "a plus and a question mark": "a+b?c&d=e#f",
    "letters of other scripts": "файл-文件-😀",
    "a dash first": "-rf",
    "a dot first": ".hidden",
    "255 bytes": "n" * 255,
}


@each(NAMES, "a file whose name has {} is written told of and removed")
def named(what):
    path = f"/home/user/names/{NAMES[what]}"
    same(box().files.write(path, what).path, path)
    same(box().files.read(path), what)
    same(box().files.get_info(path).name, NAMES[what])
    assert NAMES[what] in [one.name for one in box().files.list("/home/user/names")]
    box().files.remove(path)
    same(box().files.exists(path), False)


@each([1, 4095, 65536, 1048577], "a file of {} bytes comes back")
def sized(size):
    content = bytes(at * 31 % 256 for at in range(size))
    box().files.write("sized", content)
    same(bytes(box().files.read("sized", format="bytes")) == content, True)
    same(box().files.get_info("sized").size, size)


PATHS = {"a/../b.txt": "/home/user/b.txt", "~/c.txt": "/home/user/c.txt", "./d.txt": "/home/user/d.txt", "/tmp//e.txt": "/tmp/e.txt"}


@each(PATHS, "{} leads to its place")
def leads(path):
    box().files.write(path, path)
    same(run(f"cat {PATHS[path]}").stdout, path)


@each([0o600, 0o755, 0o444], "a mode {} is told")
def moded(mode):
    run(f"rm -f moded; echo x > moded; chmod {mode:o} moded")
    same(box().files.get_info("moded").mode, mode)


@case
def a_name_that_is_too_long_is_an_error():
    fails("SandboxException", "", box().files.write, "/home/user/" + "n" * 256, "x")


@case
def a_folder_is_renamed_with_what_is_in_it():
    run("rm -rf from to; mkdir -p from/deep; echo x > from/deep/file")
    box().files.rename("from", "to")
    same(box().files.read("to/deep/file"), "x\n")


@case
def renaming_replaces_a_file_that_is_there():
    box().files.write("first", "1")
    box().files.write("second", "2")
    box().files.rename("first", "second")
    same(box().files.read("second"), "1")


@case
def a_link_is_removed_and_what_it_leads_to_is_not():
    run("mkdir -p kept-dir; echo x > kept-dir/file; ln -sfn kept-dir link-dir")
    box().files.remove("link-dir")
    same((box().files.exists("link-dir"), box().files.read("kept-dir/file")), (False, "x\n"))


@case
def a_link_to_nothing_is_listed_and_cannot_be_read():
    run("ln -sfn nowhere-at-all broken")
    fails("NotFoundException", "", box().files.read, "broken")
    assert "broken" in [one.name for one in box().files.list("/home/user")]


@case
def links_that_lead_to_each_other_come_to_an_end():
    run("rm -rf loop; mkdir loop; ln -s ../loop loop/again")
    same([one.name for one in box().files.list("loop", depth=20)], ["again"])


@case
def an_empty_folder_is_listed_as_one():
    box().files.make_dir("nothing-in-it")
    same(box().files.list("nothing-in-it"), [])


@case
def two_thousand_files_are_listed_in_their_order():
    run("rm -rf many; mkdir many; cd many; seq -w 2000 | xargs touch")
    names = [one.name for one in box().files.list("many")]
    same((len(names), names == sorted(names)), (2000, True))


@case
def thirty_files_are_written_at_once():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: box().files.write(f"at-once/{n}", str(n)), range(30)))
    same(run("ls at-once | wc -l; cat at-once/* | wc -c").stdout, "30\n50\n")


@case
def what_is_written_is_there_for_a_command_at_once():
    for number in range(20):
        box().files.write("turns", str(number))
        same(run("cat turns").stdout, str(number))


@case
def what_a_command_writes_is_there_to_be_read_at_once():
    for number in range(20):
        run(f"printf {number} > turned")
        same(box().files.read("turned"), str(number))


@case
def a_special_file_is_no_file():
    run("rm -f pipe; mkfifo pipe")
    fails("SandboxException", "", box().files.read, "pipe")


@case
def overwriting_makes_a_file_shorter():
    box().files.write("shorter", "x" * 10_000)
    box().files.write("shorter", "y")
    same(box().files.read("shorter"), "y")


@case
def a_file_of_lines_is_read_as_a_stream():
    run("seq 100000 > lines")
    read = b"".join(box().files.read("lines", format="stream"))
    same(read.decode().split()[-1], "100000")


@case
def what_is_made_by_root_belongs_to_root():
    path = box().files.write("/opt/of-root/file", "x", user="root").path
    same(run(f"stat -c %U {path} /opt/of-root").stdout, "root\nroot\n")


@case
def variables_have_any_value():
    values = {"EMPTY": "", "QUOTED": "a 'b' \"c\"", "LINES": "a\nb", "UTF": "é😀", "EQUALS": "a=b=c"}
    said = run('printf "%s|" "$EMPTY" "$QUOTED" "$LINES" "$UTF" "$EQUALS"', envs=values)
    same(said.stdout, "|a 'b' \"c\"|a\nb|é😀|a=b=c|")


@case
def a_variable_of_a_command_is_of_that_command():
    run("export LEFT=x", envs={"RIGHT": "y"})
    same(run('echo "$LEFT$RIGHT"').stdout, "\n")


@case
def a_command_has_several_lines():
    same(run("for n in 1 2 3\ndo\n  echo $n\ndone | tac\ncat <<X\nhere\nX").stdout, "3\n2\n1\nhere\n")


@case
def letters_of_several_bytes_are_not_cut():
    said = run("python3 -c \"print('é€😀' * 30000)\"").stdout
    same(said == "é€😀" * 30000 + "\n", True)


@case
def a_command_that_is_too_long_is_refused_in_plain_words():
    same(run("printf %s '" + "x" * 50_000 + "' | wc -c").stdout.strip(), "50000")
    fails("SandboxException", "write it to a file", run, "printf %s '" + "x" * 100_000 + "'")


@case
def both_outputs_keep_their_order():
    done = run("for n in $(seq 500); do echo o$n; echo e$n >&2; done")
    same((len(done.stdout.split()), len(done.stderr.split())), (500, 500))
    assert done.stdout.endswith("o500\n") and done.stderr.endswith("e500\n")


@case
def bytes_that_are_no_text_do_no_harm():
    assert run("printf 'a\\xff\\xfeb'").stdout.startswith("a")


@case
def a_command_that_closes_its_output_goes_on():
    same(run("exec >&- 2>&-; sleep 0.1; exit 0").exit_code, 0)


@case
def a_command_that_is_not_there_ends_with_127():
    same(fails("CommandExitException", "", run, "no-such-command-here").exit_code, 127)


@case
def a_command_that_has_ended_cannot_be_killed():
    handle = run("true", background=True)
    handle.wait()
    same(box().commands.kill(handle.pid), False)


@case
def what_is_said_is_told_to_whoever_waits_and_whoever_listens():
    heard = []
    done = run("echo a; echo b >&2", on_stdout=heard.append, on_stderr=heard.append)
    same(sorted("".join(heard)), sorted(done.stdout + done.stderr))


@case
def more_commands_than_are_known_at_a_time_all_answer():
    for number in range(60):
        same(run(f"echo {number}").stdout, f"{number}\n")


@case
def a_program_at_a_port_inside_is_asked_from_inside():
    server = run("python3 -m http.server 8766 --bind 127.0.0.1", background=True)
    ask = "python3 -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8766/').status)\" || true"
    until(lambda: run(ask).stdout.strip() == "200", "the program")
    server.kill()


@case
def a_sandbox_without_a_name_for_anything_is_like_any_other():
    one = create(metadata={})
    same((one.get_info().metadata, one.commands.run("echo x", envs={}).stdout), ({}, "x\n"))
    one.kill()


@case
def lists_begin_with_the_newest():
    own = str(time.time_ns())
    made = [create(metadata={"own": own}) for _ in range(3)]
    same([one.sandbox_id for one in listed(metadata={"own": own})], [one.sandbox_id for one in reversed(made)])
    for one in made:
        one.kill()


@case
def ten_sandboxes_are_made_at_once():
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: create(), range(10)))
        same(list(pool.map(lambda one: one.commands.run("echo x").stdout, made)), ["x\n"] * 10)
        same(all(pool.map(lambda one: one.kill(), made)), True)


@case
def what_one_sandbox_does_another_does_not_see():
    one, two = create(), create()
    one.files.write("/tmp/mine", "x")
    one.commands.run("sleep 77", background=True)
    same(two.files.exists("/tmp/mine"), False)
    same(two.commands.run("pgrep -fc '[s]leep 77' || true").stdout.strip(), "0")
    one.kill()
    two.kill()


@case
def one_that_is_paused_is_killed():
    one = create()
    one.pause()
    assert one.kill()
    fails("NotFoundException", "", one.get_info)


@case
def a_sandbox_is_a_context():
    with Sandbox.create() as one:
        same(one.commands.run("echo x").stdout, "x\n")
    same(one.is_running(), False)


@case
def sandboxes_are_shut_off_from_each_others_tokens():
    one, two = create(), create()
    assert one.sandbox_id != two.sandbox_id
    same(one.commands.run("echo $E2B_SANDBOX_ID").stdout.strip(), one.sandbox_id)
    one.kill()
    same(two.commands.run("echo on").stdout, "on\n")
    two.kill()


def follow(terminal, seen):
    """Until it is killed, which is an error to who waits."""

    def wait():
        try:
            terminal.wait(on_pty=lambda data: seen.append(bytes(data)))
        except e2b.CommandExitException:
            pass

    threading.Thread(target=wait, daemon=True).start()


@case
def a_terminal_runs_what_is_typed():
    seen = []
    terminal = box().pty.create(e2b.PtySize(rows=30, cols=100))
    follow(terminal, seen)
    box().pty.send_stdin(terminal.pid, b"echo $((6 * 7))-$(whoami)\n")
    until(lambda: b"42-user" in b"".join(seen), "what is said")
    terminal.kill()


@case
def a_terminal_that_is_resized_knows_it():
    seen = []
    terminal = box().pty.create(e2b.PtySize(rows=24, cols=80))
    follow(terminal, seen)
    box().pty.resize(terminal.pid, e2b.PtySize(rows=45, cols=123))
    box().pty.send_stdin(terminal.pid, b"stty size\n")
    until(lambda: b"45 123" in b"".join(seen), "the size")
    terminal.kill()


@case
def errors_of_the_sdk_are_of_its_own_kinds():
    error = fails("NotFoundException", "", box().files.read, "/no/such")
    assert isinstance(error, e2b.SandboxException), type(error).__mro__


@case
def a_fork_of_a_fork_has_what_both_have_made():
    one = create()
    one.files.write("a", "1")
    (two,) = one.fork(timeout=60)
    two.files.write("b", "2")
    (three,) = two.fork(timeout=60)
    same((three.files.read("a"), three.files.read("b"), one.files.exists("b")), ("1", "2", False))
    for sandbox in (one, two, three):
        sandbox.kill()


@case
def a_snapshot_of_a_snapshots_sandbox_has_all():
    one = create()
    one.files.write("a", "1")
    first = one.create_snapshot()
    two = create(template=first.snapshot_id)
    two.files.write("b", "2")
    second = two.create_snapshot()
    Sandbox.delete_snapshot(first.snapshot_id)
    three = create(template=second.snapshot_id)
    same((three.files.read("a"), three.files.read("b")), ("1", "2"))
    Sandbox.delete_snapshot(second.snapshot_id)
    for sandbox in (one, two, three):
        sandbox.kill()


@case
def a_fork_for_no_time_or_in_no_number_is_refused():
    fails("SandboxException", "", box().fork, count=0)


@case
def what_is_removed_in_a_fork_is_there_in_the_first():
    one = create()
    one.commands.run("mkdir d; echo x > d/f")
    (two,) = one.fork(timeout=60)
    two.files.remove("d")
    same((one.files.exists("d/f"), two.files.exists("d/f")), (True, False))
    one.kill()
    two.kill()


@case
def its_environment_is_told():
    same(box().commands.run("echo $E2B_SANDBOX").stdout, "true\n")
