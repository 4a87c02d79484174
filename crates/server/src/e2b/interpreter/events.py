"""What a kernel tells whoever started it: one event a line, on a pipe of its own, with all that is printed in between."""

import json
import math
import os
import queue
import sys
import threading
import time
import uuid


class Events:
    def __init__(self, file):
        self.file = file
        self.lock = threading.Lock()

    def tell(self, **event):
        if event["type"] not in ("stdout", "stderr"):
            sys.stdout.flush()
            sys.stderr.flush()
        with self.lock:
            self.file.write(line_of(event) + "\n")
            self.file.flush()


def line_of(event):
    try:
        return json.dumps(event, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(finite(event), default=str, allow_nan=False)


def finite(value):
    """What is no number, such as a cell of a table with nothing in it, is null: JSON has no other word, and JavaScript takes no other."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return value


class Printed:
    """What is printed by `print`, in order with everything else: lines, as far as they have an end."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, events, kind, number):
        self.events, self.kind, self.number = events, kind, number
        self.rest, self.lock = "", threading.Lock()

    def write(self, text):
        with self.lock:
            whole, end, self.rest = (self.rest + str(text)).rpartition("\n")
            self.tell(whole + end)
        return len(text)

    def tell(self, text):
        if text:
            self.events.tell(type=self.kind, text=text, timestamp=now())

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        with self.lock:
            text, self.rest = self.rest, ""
            self.tell(text)

    def isatty(self):
        return False

    def fileno(self):
        return self.number


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"


class Pipe:
    """What programs that the code starts print, by the descriptors that they inherit."""

    def __init__(self, events, kind, number):
        ours, theirs = os.pipe()
        os.dup2(theirs, number)
        os.close(theirs)
        self.number, self.seen = number, queue.Queue()
        self.mark = f"\0{uuid.uuid4()}\0".encode()
        threading.Thread(target=self.read, args=(events, kind, ours), daemon=True).start()

    def read(self, events, kind, ours):
        rest = b""
        while True:
            rest += os.read(ours, 65536)
            whole, found, behind = rest.partition(self.mark)
            # The beginning of a mark, or of a character, waits for what follows.
            keep = 0 if found else next((n for n in range(min(len(self.mark), len(whole)), 0, -1) if self.mark.startswith(whole[-n:])), 0)
            text = whole[: len(whole) - keep]
            rest = behind if found else whole[len(whole) - keep :]
            if text:
                events.tell(type=kind, text=text.decode("utf-8", "replace"), timestamp=now())
            if found:
                self.seen.put(None)

    def drain(self):
        # Another program that has the same pipe may have asked for the opposite.
        os.set_blocking(self.number, True)
        os.write(self.number, self.mark)
        self.seen.get()


class Told:
    """A kernel's way out: events, and what it and the programs that it starts print."""

    def __init__(self):
        self.commands, self.events = os.fdopen(3, "r", encoding="utf-8"), Events(os.fdopen(4, "w", encoding="utf-8"))
        os.set_inheritable(3, False)
        os.set_inheritable(4, False)
        self.pipes = [Pipe(self.events, "stdout", 1), Pipe(self.events, "stderr", 2)]

    def tell(self, **event):
        self.events.tell(**event)

    def drain(self):
        """Everything that was printed until now is told."""
        for pipe in self.pipes:
            pipe.drain()
