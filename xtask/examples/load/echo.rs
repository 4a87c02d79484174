//! The smallest ACP agent: it repeats what it is asked, as one message, and ends the turn.

use anyhow::Result;
use serde_json::{Value, json};
use std::io::{BufRead, Write, stdin, stdout};

pub(crate) fn run() -> Result<()> {
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let result = match message["method"].as_str() {
            Some("initialize") => json!({ "protocolVersion": 1, "agentCapabilities": {} }),
            Some("session/new") => json!({ "sessionId": "one" }),
            Some("session/prompt") => {
                let update = json!({
                    "sessionUpdate": "agent_message_chunk",
                    "content": { "type": "text", "text": message["params"]["prompt"][0]["text"] },
                });
                let params = json!({ "sessionId": "one", "update": update });
                writeln!(
                    out,
                    "{}",
                    json!({ "jsonrpc": "2.0", "method": "session/update", "params": params })
                )?;
                json!({ "stopReason": "end_turn" })
            }
            Some(_) | None => continue,
        };
        writeln!(out, "{}", json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))?;
        out.flush()?;
    }
    Ok(())
}
