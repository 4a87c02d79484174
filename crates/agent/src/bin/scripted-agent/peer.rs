//! The two pipes. One thread reads lines and hands them over; everything else happens in the main thread.

use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How this program exits when it is misused (`EX_SOFTWARE` of sysexits.h).
pub(crate) const MISUSE: i32 = 70;
/// Lines read ahead of the main thread.
const READ_AHEAD: usize = 16;

/// Says what was wrong with what we were told, and exits.
pub(crate) fn misused(why: &str) -> ! {
    eprintln!("scripted-agent: misused: {why}");
    std::process::exit(MISUSE);
}

/// What can be waited for.
pub(crate) enum Heard {
    Message(Value),
    Nothing,
    End,
}

pub(crate) struct Peer {
    inbox: Receiver<Value>,
}

impl Peer {
    pub(crate) fn start() -> Self {
        let (sender, inbox) = sync_channel(READ_AHEAD);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let line = line.unwrap_or_else(|error| misused(&format!("input cannot be read: {error}")));
                let message: Value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| misused(&format!("not JSON ({error}): {line}")));
                if message["jsonrpc"] != "2.0" {
                    misused(&format!("not JSON-RPC 2.0: {line}"));
                }
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { inbox }
    }

    pub(crate) fn wait(&self) -> Heard {
        self.inbox.recv().map_or(Heard::End, Heard::Message)
    }

    pub(crate) fn wait_for(&self, time: Duration) -> Heard {
        match self.inbox.recv_timeout(time) {
            Ok(message) => Heard::Message(message),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End,
        }
    }

    pub(crate) fn send(&self, message: &Value) {
        self.write(format!("{message}\n").as_bytes());
    }

    pub(crate) fn answer(&self, id: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    pub(crate) fn refuse(&self, id: &Value, code: i64, message: &str) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }));
    }

    pub(crate) fn update(&self, session: &str, update: Value) {
        self.send(&json!({
            "jsonrpc": "2.0",
            "method": "session/update",
            "params": { "sessionId": session, "update": update },
        }));
    }

    /// Writes bytes as they are. Nobody reading any more is the end.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }
}
