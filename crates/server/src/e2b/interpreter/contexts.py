"""Contexts: each is a process whose variables stay, with commands on its descriptor 3 and events on its descriptor 4."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid

from .languages import PROGRAMS, kernel

HOME = os.path.expanduser("~")
CONTEXTS = 64
# Between two looks whether whoever asked is still there, in seconds.
LOOK = 0.5
# For one that is interrupted, before it is killed.
GRACE = 5


class Context:
    def __init__(self, language, cwd):
        self.id, self.language, self.cwd, self.lock = str(uuid.uuid4()), language, cwd, threading.Lock()
        self.begin()

    def about(self):
        return {"id": self.id, "language": self.language, "cwd": self.cwd}

    def begin(self):
        (theirs, self.commands), (self.events, out) = os.pipe(), os.pipe()

        def place():
            os.dup2(theirs, 103)
            os.dup2(out, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)
            os.close(103)
            os.close(104)

        self.process = subprocess.Popen(
            kernel(PROGRAMS[self.language]),
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            preexec_fn=place,
            pass_fds=(3, 4),
            start_new_session=True,
        )
        os.close(theirs)
        os.close(out)
        self.lines = queue.Queue(maxsize=1024)
        threading.Thread(target=self.read, args=(os.fdopen(self.events, "rb"), self.lines), daemon=True).start()

    @staticmethod
    def read(events, lines):
        for line in events:
            lines.put(line)
        lines.put(None)

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.commands)

    def restart(self):
        self.end()
        self.begin()

    def execute(self, code, language, env_vars, is_there):
        """Lines as they come; where nobody is there any more, it is interrupted."""
        with self.lock:
            command = json.dumps({"code": code, "language": language, "env_vars": env_vars}).encode() + b"\n"
            lines = self.lines
            try:
                view = memoryview(command)
                while view:
                    view = view[os.write(self.commands, view) :]
            except BrokenPipeError:
                pass
            until, looked = None, time.monotonic()
            while True:
                try:
                    line = lines.get(timeout=LOOK)
                except queue.Empty:
                    line = b""
                # Also while lines come: what prints for ever would never be interrupted.
                if time.monotonic() - looked >= LOOK:
                    looked = time.monotonic()
                    if until is None and not is_there():
                        os.kill(self.process.pid, signal.SIGINT)
                        until = looked + GRACE
                    if until is not None and looked > until:
                        return self.restart()
                if line == b"":
                    continue
                if line is None:
                    yield b'{"type": "unexpected_end_of_execution"}\n'
                    if lines is self.lines:
                        self.restart()
                    return
                if until is None:
                    yield line
                if line.startswith(b'{"type": "end_of_execution"'):
                    return


class Contexts:
    def __init__(self):
        self.lock, self.all, self.defaults = threading.Lock(), {}, {}

    def make(self, language, cwd):
        with self.lock:
            return self.made(language, cwd)

    def made(self, language, cwd):
        if len(self.all) >= CONTEXTS:
            raise OSError("there are too many contexts; remove one")
        context = Context(language, cwd)
        self.all[context.id] = context
        return context

    def default(self, language):
        """That of who names none: one of each program."""
        program = PROGRAMS[language]
        with self.lock:
            context = self.defaults.get(program)
            if context is None or context.id not in self.all:
                context = self.defaults[program] = self.made(program, HOME)
            return context
