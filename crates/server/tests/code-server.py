"""What Lamplight needs of code-server, for tests: it is started in the same words and refuses others, leads to its folder, and its
page talks to it over a WebSocket, by which files are read and written. Its own page, which saves a file, is for the browser's tests.
"""

import base64
import hashlib
import json
import os
import pathlib
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FLAGS = [
    "--disable-telemetry",
    "--disable-update-check",
    "--disable-workspace-trust",
    "--disable-getting-started-override",
    "--disable-proxy",
]
VALUES = {"--auth": "none", "--config": "/dev/null", "--idle-timeout-seconds": "1800"}

PAGE = """<!doctype html><title>code</title><h1>Editor of tests</h1><label>File <textarea></textarea></label>
<button>Save</button><p></p><script src="./_static/app.js"></script>"""
SCRIPT = """
const socket = new WebSocket(location.href.replace('http', 'ws').replace(/[?].*/, 'stable-0?skipWebSocketFrames=false'));
const [text, button, state] = ['textarea', 'button', 'p'].map((name) => document.querySelector(name));
socket.onopen = () => socket.send(JSON.stringify({ read: 'readme.txt' }));
socket.onmessage = ({ data }) => {
  const said = JSON.parse(data);
  if (said.text !== undefined) text.value = said.text;
  state.textContent = said.text === undefined ? 'Saved' : 'Opened';
};
button.onclick = () => socket.send(JSON.stringify({ write: 'readme.txt', text: text.value }));
"""


def options(words):
    """The port and the folder; what is not understood is refused, as the program itself does."""
    words, given = list(words), {}
    while words and words[0].startswith("--"):
        word = words.pop(0)
        given[word] = None if word in FLAGS else words.pop(0)
    for flag in FLAGS:
        assert flag in given, f"{flag} is not said"
    for flag, value in VALUES.items():
        assert given.pop(flag) == value, f"{flag} is not {value}"
    host, port = given.pop("--bind-addr").split(":")
    assert host == "127.0.0.1", f"would listen at {host}"
    settings = pathlib.Path(given.pop("--user-data-dir"), "User/settings.json")
    assert json.loads(settings.read_text())["telemetry.telemetryLevel"] == "off", "telemetry is on"
    assert json.loads(os.environ["EXTENSIONS_GALLERY"])["serviceUrl"] == "", "there is a gallery"
    assert set(given) == set(FLAGS), f"not understood: {set(given) - set(FLAGS)}"
    [folder] = words
    return int(port), folder


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = "."

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if self.headers.get("Upgrade") == "websocket":
            return self.web_socket()
        if url.path == "/_static/app.js":
            return self.answer(200, SCRIPT, {"Content-Type": "text/javascript"})
        if url.path != "/":
            return self.answer(404, "nothing is here", {"Content-Type": "text/plain"})
        if not url.query:
            return self.answer(302, "", {"Location": f"./?folder={self.folder}"})
        return self.answer(200, PAGE, {"Content-Type": "text/html", "Content-Security-Policy": "script-src 'self'"})

    def answer(self, status, text, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def web_socket(self):
        # Of whom does it come: see ensureOrigin of code-server.
        origin = urllib.parse.urlsplit(self.headers.get("Origin", "")).netloc
        if origin != self.headers["Host"] or "cookie" in self.headers:
            return self.answer(403, "of another origin, or with a cookie of somebody else's", {})
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while (message := self.frame()) is not None:
            self.said(json.loads(message))

    def frame(self):
        """The next text of the browser's; None at its end."""
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        size = head[1] & 127
        if size == 126:
            size = int.from_bytes(self.rfile.read(2), "big")
        assert size < 1 << 16, "larger than tests say"
        mask, text = self.rfile.read(4), self.rfile.read(size)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))

    def said(self, message):
        if "read" in message:
            self.say({"text": pathlib.Path(self.folder, message["read"]).read_text()})
        elif "write" in message:
            pathlib.Path(self.folder, message["write"]).write_text(message["text"])
            self.say({"written": message["write"]})

    def say(self, message):
        text = json.dumps(message).encode()
        assert len(text) < 126, "larger than tests hear"
        self.wfile.write(bytes([0x81, len(text)]) + text)


PORT, Handler.folder = options(sys.argv[1:])
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
