"""Runs Python for E2B's code interpreter SDKs: HTTP on port 49999, one process for each context, whose variables stay.

Where IPython is installed it runs what IPython runs; otherwise plain Python, with the same ways to show values. Standard library only.
"""

import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 49999
HOME = os.path.expanduser("~")
LONGEST_BODY = 64 << 20
CONTEXTS = 64
# Between two looks whether whoever asked is still there, in seconds.
LOOK = 0.5
# For one that is interrupted, before it is killed.
GRACE = 5


# What runs the code: a process with commands on descriptor 3 and events on descriptor 4.


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
        os.write(self.number, self.mark)
        self.seen.get()


SHOWN = {
    "_repr_html_": "html",
    "_repr_markdown_": "markdown",
    "_repr_svg_": "svg",
    "_repr_png_": "png",
    "_repr_jpeg_": "jpeg",
    "_repr_pdf_": "pdf",
    "_repr_latex_": "latex",
    "_repr_json_": "json",
    "_repr_javascript_": "javascript",
}
BY_MIME = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
}


def as_text(value):
    import base64

    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else value


def told(value):
    """All ways to show a value that it knows."""
    result = {"text": repr(value)}
    for method, name in SHOWN.items():
        show = getattr(type(value), method, None)
        if show is None:
            continue
        try:
            shown = show(value)
        except Exception:
            continue
        if isinstance(shown, tuple):
            shown = shown[0]
        if shown is not None:
            result[name] = as_text(shown)
    if hasattr(value, "_repr_mimebundle_"):
        try:
            bundle = value._repr_mimebundle_()
            bundle = bundle[0] if isinstance(bundle, tuple) else bundle
            result.update(by_mime(bundle))
        except Exception:
            pass
    return with_more(value, result)


def by_mime(bundle):
    known, extra = {}, {}
    for mime, value in bundle.items():
        if mime in BY_MIME:
            known[BY_MIME[mime]] = as_text(value)
        else:
            extra[mime] = as_text(value)
    if extra:
        known["extra"] = extra
    return known


def with_more(value, result):
    """Tables as data, and figures as pictures, which they are only in notebooks by themselves."""
    kind = f"{type(value).__module__}.{type(value).__name__}"
    if kind.startswith("pandas.") and type(value).__name__ == "DataFrame":
        result["data"] = {str(name): column for name, column in value.to_dict(orient="list").items()}
    if kind == "matplotlib.figure.Figure" and "png" not in result:
        import io

        picture = io.BytesIO()
        value.savefig(picture, format="png")
        result["png"] = as_text(picture.getvalue())
    return result


class Plain:
    """Python as it is, with what notebooks have: the value of a last expression is shown, and `display`."""

    def __init__(self, events):
        self.events = events
        self.names = {"__name__": "__main__", "display": self.display}
        sys.displayhook = lambda value: self.show(value, True)
        import types

        # So that what is defined here can be pickled, and found by its module.
        main = types.ModuleType("__main__")
        main.__dict__.update(self.names)
        sys.modules["__main__"] = main
        self.names = main.__dict__

    def show(self, value, is_main):
        if value is not None:
            self.names["_"] = value
            self.events.tell(type="result", is_main_result=is_main, **told(value))

    def display(self, *values):
        for value in values:
            self.events.tell(type="result", is_main_result=False, **told(value))

    def run(self, code, count):
        import ast
        import inspect
        import linecache

        name = f"<cell {count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        value = self.evaluate(compile(tree, name, "exec", flags), inspect)
        if last is not None:
            ends_quietly = code.rstrip().endswith(";")
            value = self.evaluate(compile(ast.Expression(last.value), name, "eval", flags), inspect)
            self.show(None if ends_quietly else value, True)
        self.figures()

    def evaluate(self, code, inspect):
        value = eval(code, self.names)
        if inspect.iscoroutine(value) and code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            self.loop = getattr(self, "loop", None) or asyncio.new_event_loop()
            return self.loop.run_until_complete(value)
        return value

    def figures(self):
        """Figures that were drawn and not shown."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        for number in pyplot.get_fignums() if pyplot else []:
            self.display(pyplot.figure(number))
        if pyplot:
            pyplot.close("all")


def ipython(events):
    """IPython, if it is there."""
    try:
        from IPython.core.displayhook import DisplayHook
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
    except ImportError:
        return None

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, bundle, metadata=None):
            self.bundle = bundle

        def finish_displayhook(self):
            result = by_mime(getattr(self, "bundle", {}))
            events.tell(type="result", is_main_result=True, **with_more(self.shell.user_ns.get("_"), result))

    class Published(DisplayPublisher):
        def publish(self, data, metadata=None, **_):
            events.tell(type="result", is_main_result=False, **by_mime(data))

        def clear_output(self, wait=False):
            pass

    InteractiveShell.displayhook_class = Hook
    InteractiveShell.display_pub_class = Published
    InteractiveShell.colors.default_value = "NoColor" if not hasattr(InteractiveShell, "nocolor") else "nocolor"
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.showtraceback = lambda *_, **__: None
    shell.showsyntaxerror = lambda *_, **__: None

    class Shell:
        def run(self, code, _count):
            if "matplotlib" in code:
                try:
                    shell.enable_matplotlib("inline")
                except Exception:
                    pass
            done = shell.run_cell(code, store_history=True)
            if done.error_before_exec or done.error_in_exec:
                raise done.error_before_exec or done.error_in_exec

    return Shell()


def trace(error):
    import traceback

    own = error.__traceback__
    # Ours is nobody's business.
    while own is not None and not own.tb_frame.f_code.co_filename.startswith(("<cell", "<ipython")):
        own = own.tb_next
    return "".join(traceback.format_exception(type(error), error, own))


def kernel():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, events = os.fdopen(3, "r", encoding="utf-8"), Events(os.fdopen(4, "w", encoding="utf-8"))
    os.set_inheritable(3, False)
    os.set_inheritable(4, False)
    pipes = [Pipe(events, "stdout", 1), Pipe(events, "stderr", 2)]
    sys.stdout, sys.stderr = Printed(events, "stdout", 1), Printed(events, "stderr", 2)
    sys.argv, sys.path[0:1] = [""], [""]
    os.environ.setdefault("MPLBACKEND", "agg")
    runner, count = None, 0
    for line in commands:
        command = json.loads(line)
        count += 1
        before = dict(os.environ)
        os.environ.update(command.get("env_vars") or {})
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            events.tell(type="number_of_executions", execution_count=count)
            runner = runner or ipython(events) or Plain(events)
            runner.run(command["code"], count)
        except BaseException as error:  # noqa: BLE001
            events.tell(type="error", name=type(error).__name__, value=str(error), traceback=trace(error))
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in command.get("env_vars") or {}:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
        for pipe in pipes:
            pipe.drain()
        events.tell(type="end_of_execution")


# What answers the SDKs.


class Context:
    def __init__(self, cwd):
        self.id, self.cwd, self.lock = str(uuid.uuid4()), cwd, threading.Lock()
        self.begin()

    def about(self):
        return {"id": self.id, "language": "python", "cwd": self.cwd}

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
            [sys.executable, "-u", __file__, "kernel"],
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

    def execute(self, code, env_vars, is_there):
        """Lines as they come; where nobody is there any more, it is interrupted."""
        with self.lock:
            command = json.dumps({"code": code, "env_vars": env_vars}).encode() + b"\n"
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
        self.lock, self.all, self.default = threading.Lock(), {}, None

    def make(self, cwd):
        with self.lock:
            if len(self.all) >= CONTEXTS:
                raise OSError("there are too many contexts; remove one")
            context = Context(cwd)
            self.all[context.id] = context
            return context

    def of_python(self):
        with self.lock:
            if self.default is None or self.default.id not in self.all:
                self.default = Context(HOME)
                self.all[self.default.id] = self.default
            return self.default


CONTEXTS_OF_ALL = Contexts()
LANGUAGES = (None, "", "python", "python3")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, why):
        self.answer(status, why, "text/plain")

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while True:
                length = int(self.rfile.readline().split(b";")[0], 16)
                data += self.rfile.read(length)
                self.rfile.readline()
                if length == 0:
                    break
                if len(data) > LONGEST_BODY:
                    raise ValueError("the body is too long")
        else:
            length = int(self.headers.get("Content-Length") or 0)
            if length > LONGEST_BODY:
                raise ValueError("the body is too long")
            data = self.rfile.read(length)
        return json.loads(data or b"{}")

    def parts(self):
        return [part for part in self.path.split("?")[0].split("/") if part]

    def do_GET(self):
        match self.parts():
            case ["health"]:
                self.answer(200, '"OK"')
            case ["contexts"]:
                self.answer(200, [context.about() for context in CONTEXTS_OF_ALL.all.values()])
            case _:
                self.refuse(404, "not found")

    def do_DELETE(self):
        match self.parts():
            case ["contexts", name] if name in CONTEXTS_OF_ALL.all:
                CONTEXTS_OF_ALL.all.pop(name).end()
                self.answer(200, {})
            case ["contexts", name]:
                self.refuse(404, f"Context {name} not found")
            case _:
                self.refuse(404, "not found")

    def do_POST(self):
        try:
            asked = self.body()
        except (ValueError, OSError) as error:
            self.close_connection = True
            return self.refuse(400, str(error))
        match self.parts():
            case ["execute"]:
                self.execute(asked)
            case ["contexts"]:
                if asked.get("language") not in LANGUAGES:
                    return self.refuse(400, f"Language {asked['language']} is not supported here, python is")
                try:
                    self.answer(200, CONTEXTS_OF_ALL.make(asked.get("cwd") or HOME).about())
                except OSError as error:
                    self.refuse(400, str(error))
            case ["contexts", name, "restart"] if name in CONTEXTS_OF_ALL.all:
                CONTEXTS_OF_ALL.all[name].restart()
                self.answer(200, {})
            case ["contexts", name, "restart"]:
                self.refuse(404, f"Context {name} not found")
            case _:
                self.refuse(404, "not found")

    def execute(self, asked):
        name, language = asked.get("context_id"), asked.get("language")
        if name and language:
            return self.refuse(400, "Only one of context_id or language can be provided")
        if language not in LANGUAGES:
            return self.refuse(400, f"Language {language} is not supported here, python is")
        context = CONTEXTS_OF_ALL.all.get(name) if name else CONTEXTS_OF_ALL.of_python()
        if context is None:
            return self.refuse(404, f"Context {name} not found")
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        gone = False
        for line in context.execute(asked.get("code") or "", asked.get("env_vars") or {}, lambda: not gone and self.is_there()):
            try:
                if not gone:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            except OSError:
                gone = True
        if gone:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def is_there(self):
        import select
        import socket

        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return not readable or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    server.daemon_threads = True
    CONTEXTS_OF_ALL.of_python()
    server.serve_forever()


if __name__ == "__main__":
    kernel() if sys.argv[1:] == ["kernel"] else serve()
