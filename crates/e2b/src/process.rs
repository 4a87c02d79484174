//! `process.Process`. Bytes are base64 in JSON.

use crate::filesystem::is_default;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// The most bytes of a pipe in one event, and of a terminal.
pub const MAX_OUTPUT: usize = 32 * 1024;
pub const MAX_TERMINAL: usize = 16 * 1024;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    pub cmd: String,
    pub args: Vec<String>,
    pub envs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Size {
    pub cols: u32,
    pub rows: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pty {
    pub size: Option<Size>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StartRequest {
    pub process: Config,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pty: Option<Pty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where it is not said, there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<bool>,
}

/// Which process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selector {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// All requests that name a process and no more than one thing beside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessRequest {
    #[serde(skip_serializing_if = "is_default")]
    pub process: Selector,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pty: Option<Pty>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Input {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pty: Option<Base64>,
}

/// A message of a client that streams its input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamInputRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<ProcessRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<ProcessRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<Nothing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    #[serde(rename = "SIGNAL_UNSPECIFIED")]
    Unspecified,
    #[serde(rename = "SIGNAL_SIGTERM")]
    Term,
    #[serde(rename = "SIGNAL_SIGKILL")]
    Kill,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListResponse {
    pub processes: Vec<ProcessInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    pub config: Config,
    pub pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// What `Start` and `Connect` stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventResponse {
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    Start { pid: u32 },
    Data(Data),
    End(End),
    Keepalive {},
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Data {
    Stdout(Base64),
    Stderr(Base64),
    Pty(Base64),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    #[serde(default, skip_serializing_if = "is_default")]
    pub exit_code: i32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub exited: bool,
    #[serde(default)]
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl End {
    /// As Go says it, in whose words clients know it.
    pub fn with_code(code: i32) -> Self {
        let status = format!("exit status {code}");
        let error = (code != 0).then(|| status.clone());
        Self { exit_code: code, exited: true, status, error }
    }

    pub fn by_signal(number: i32) -> Self {
        let status = format!("signal: {}", signal_name(number));
        Self { exit_code: -1, exited: false, error: Some(status.clone()), status }
    }
}

/// Source: Go's `syscall.Signal.String` on Linux.
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// Bytes that are base64 in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base64(pub Bytes);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_sdks_send_is_read() {
        let sent = json!({"process": {"cmd": "/bin/bash", "args": ["-l", "-c", "x"], "envs": {}, "cwd": "/tmp"}, "stdin": false, "new": 1});
        let read: StartRequest = serde_json::from_value(sent).unwrap();
        assert_eq!(
            (&*read.process.cmd, read.process.cwd.as_deref(), read.stdin),
            ("/bin/bash", Some("/tmp"), Some(false))
        );
        let read: ProcessRequest =
            serde_json::from_value(json!({"process": {"pid": 7}, "input": {"stdin": "aGk="}})).unwrap();
        assert_eq!(read.input.unwrap().stdin, Some(Base64(Bytes::from_static(b"hi"))));
        let read: StreamInputRequest = serde_json::from_value(json!({"keepalive": {}})).unwrap();
        assert!(read.keepalive.is_some() && read.start.is_none());
        assert!(serde_json::from_value::<ProcessRequest>(json!({"input": {"stdin": "***"}})).is_err());
    }

    #[test]
    fn what_we_send_is_what_sdks_send() {
        let process = Selector { pid: Some(7), tag: None };
        let start = ProcessRequest { process, ..ProcessRequest::default() };
        let start = StreamInputRequest { start: Some(start), ..StreamInputRequest::default() };
        assert_eq!(serde_json::to_value(start).unwrap(), json!({"start": {"process": {"pid": 7}}}));
        let input = Input { stdin: Some(Base64("hi".into())), pty: None };
        let data = ProcessRequest { input: Some(input), ..ProcessRequest::default() };
        let data = StreamInputRequest { data: Some(data), ..StreamInputRequest::default() };
        assert_eq!(serde_json::to_value(data).unwrap(), json!({"data": {"input": {"stdin": "aGk="}}}));
        let process = Config { cmd: "x".into(), ..Config::default() };
        let start = StartRequest { process, stdin: Some(true), ..StartRequest::default() };
        let said = json!({"process": {"cmd": "x", "args": [], "envs": {}}, "stdin": true});
        assert_eq!(serde_json::to_value(start).unwrap(), said);
    }

    #[test]
    fn what_sdks_read_is_said() {
        let said = |event: Event| serde_json::to_value(EventResponse { event }).unwrap();
        assert_eq!(said(Event::Start { pid: 7 }), json!({"event": {"start": {"pid": 7}}}));
        assert_eq!(
            said(Event::Data(Data::Stdout(Base64("hi".into())))),
            json!({"event": {"data": {"stdout": "aGk="}}})
        );
        assert_eq!(said(Event::Keepalive {}), json!({"event": {"keepalive": {}}}));
        assert_eq!(
            said(Event::End(End::with_code(0))),
            json!({"event": {"end": {"exited": true, "status": "exit status 0"}}})
        );
        assert_eq!(
            said(Event::End(End::by_signal(9))),
            json!({"event": {"end": {"exitCode": -1, "status": "signal: killed", "error": "signal: killed"}}})
        );
    }
}
