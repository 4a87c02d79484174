"""The kernel of languages that are not Python: a program of theirs keeps what was defined, and is asked and answers on pipes of its own."""

import json
import os
import re
import select
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path

from .events import Told

# Between two looks whether the program is still there, in seconds: others that it started may hold its pipe.
LOOK = 0.2

# Before, the code's file and after, each with a NUL at its end. What is interrupted goes on behind the code; bash forgets that once it has
# been interrupted while another program ran. Names of variables are told apart from those of whoever uses it by what they begin with.
BASH = """
while IFS= read -r -d '' -u {asks} _lamplight_before && IFS= read -r -d '' -u {asks} _lamplight_file \\
  && IFS= read -r -d '' -u {asks} _lamplight_after; do
  trap - INT
  trap 'return 130 2>/dev/null' INT
  eval "$_lamplight_before"
  . "$_lamplight_file"
  _lamplight_status=$?
  eval "$_lamplight_after"
  printf '%s\\n' "$_lamplight_status" >&{answers}
done
"""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Hosted:
    def __init__(self):
        (theirs, self.asks), (self.answers, out) = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            self.command(theirs, out),
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs, out),
            # Whoever begins without it can never be interrupted.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        os.close(out)
        self.rest = b""

    def ask(self, asked):
        view = memoryview(asked)
        while view:
            view = view[os.write(self.asks, view) :]

    def answer(self):
        """A line; `None` where it has ended."""
        while b"\n" not in self.rest:
            ended = self.process.poll() is not None
            if select.select([self.answers], [], [], 0 if ended else LOOK)[0]:
                piece = os.read(self.answers, 65536)
                self.rest += piece
                if piece:
                    continue
            if ended:
                return None
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def close(self):
        os.close(self.asks)
        os.close(self.answers)
        return self.process.wait()


class Bash(Hosted):
    def command(self, asks, answers):
        # No file of the person's is read, as none is by a script.
        return ["bash", "--noprofile", "--norc", "-c", BASH.format(asks=asks, answers=answers), "bash"]

    def run(self, command, _out):
        names = {name: value for name, value in command["env_vars"].items() if NAME.fullmatch(name)}
        before = "".join(
            f"_lamplight_had_{name}=${{{name}+x}}; _lamplight_was_{name}=${{{name}-}}; export {name}={shlex.quote(value)}\n"
            for name, value in names.items()
        )
        after = "".join(
            f"if [ -n \"$_lamplight_had_{name}\" ]; then {name}=$_lamplight_was_{name}; else unset {name}; fi\n"
            f"unset _lamplight_had_{name} _lamplight_was_{name}\n"
            for name in names
        )
        with tempfile.NamedTemporaryFile("w", prefix="cell-", suffix=".sh", encoding="utf-8") as cell:
            cell.write(command["code"] + "\n")
            cell.flush()
            self.ask(b"".join(part.encode().replace(b"\0", b"") + b"\0" for part in (before, cell.name, after)))
            status = self.answer()
        if status is None:
            return None
        status = int(status)
        failed = {"name": "ExitStatus", "value": f"exit status {status}", "traceback": ""}
        return {"error": failed} if status else {}


class JavaScript(Hosted):
    def command(self, asks, answers):
        return ["node", str(Path(__file__).with_name("javascript.cjs")), str(asks), str(answers)]

    def run(self, command, out):
        self.ask(json.dumps(command).encode() + b"\n")
        while (line := self.answer()) is not None:
            answer = json.loads(line)
            if "display" not in answer:
                return answer
            out.drain()
            out.tell(type="result", is_main_result=False, **answer["display"])
        return None


def kernel(program):
    out = Told()
    begin = {"bash": Bash, "javascript": JavaScript}[program]
    hosted, count, is_running = begin(), 0, False

    def interrupt(*_):
        # All that runs for it; not who runs it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if is_running:
            os.killpg(os.getpgrp(), signal.SIGINT)
        signal.signal(signal.SIGINT, interrupt)

    signal.signal(signal.SIGINT, interrupt)
    for line in out.commands:
        command = json.loads(line)
        count += 1
        out.tell(type="number_of_executions", execution_count=count)
        is_running = True
        try:
            answer = hosted.run(command, out)
        except BrokenPipeError:
            answer = None
        is_running = False
        out.drain()
        if answer is None:
            # It has ended itself, and begins anew, without what was defined.
            status = hosted.close()
            value = f"signal {-status}" if status < 0 else f"exit status {status}"
            answer = {"error": {"name": "ExitStatus", "value": value, "traceback": ""}} if status else {}
            hosted = begin()
        if "result" in answer:
            out.tell(type="result", is_main_result=True, **answer["result"])
        if "error" in answer:
            out.tell(type="error", **answer["error"])
        out.tell(type="end_of_execution")
