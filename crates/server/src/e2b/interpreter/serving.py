"""Runs code for E2B's code interpreter SDKs: HTTP on port 49999. Standard library only."""

import json
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .contexts import HOME, Contexts
from .languages import NoLanguage, known

PORT = 49999
LONGEST_BODY = 64 << 20
CONTEXTS = Contexts()


def unspoken(error):
    yield json.dumps({"type": "error", "name": "UnsupportedLanguage", "value": str(error), "traceback": ""}).encode() + b"\n"
    yield b'{"type": "end_of_execution"}\n'


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
                self.answer(200, [context.about() for context in CONTEXTS.all.values()])
            case _:
                self.refuse(404, "not found")

    def do_DELETE(self):
        match self.parts():
            case ["contexts", name] if name in CONTEXTS.all:
                CONTEXTS.all.pop(name).end()
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
                try:
                    made = CONTEXTS.make(known(asked.get("language")), asked.get("cwd") or HOME)
                except (NoLanguage, OSError) as error:
                    return self.refuse(400, str(error))
                self.answer(200, made.about())
            case ["contexts", name, "restart"] if name in CONTEXTS.all:
                CONTEXTS.all[name].restart()
                self.answer(200, {})
            case ["contexts", name, "restart"]:
                self.refuse(404, f"Context {name} not found")
            case _:
                self.refuse(404, "not found")

    def execute(self, asked):
        name, language = asked.get("context_id"), asked.get("language")
        if name and language:
            return self.refuse(400, "Only one of context_id or language can be provided")
        try:
            spoken = None if name else known(language)
            context = CONTEXTS.all.get(name) if name else CONTEXTS.default(spoken)
        except NoLanguage as error:
            # SDKs say nothing of why a request is refused, but all of why code is.
            return self.tell(unspoken(error), threading.Event())
        except OSError as error:
            return self.refuse(400, str(error))
        if context is None:
            return self.refuse(404, f"Context {name} not found")
        gone = threading.Event()
        is_there = lambda: not gone.is_set() and self.is_there()
        lines = context.execute(asked.get("code") or "", spoken or context.language, asked.get("env_vars") or {}, is_there)
        self.tell(lines, gone)

    def tell(self, lines, gone):
        """All of them, also where nobody is there any more."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            try:
                if not gone.is_set():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            except OSError:
                gone.set()
        if gone.is_set():
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def is_there(self):
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return not readable or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    server.daemon_threads = True
    CONTEXTS.default("python")
    server.serve_forever()


if __name__ == "__main__":
    serve()
