//! The frozen examples of each generation, and frames that arrive in any pieces.

use bytes::{Bytes, BytesMut};
use lamplight_wire::folder::{
    FileKind, FolderEntry, Listed, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_ENTRIES, MAX_TARGET,
};
use lamplight_wire::watch::{self, Change, WatchEvent, Watched};
use lamplight_wire::{
    Acknowledge, Bounds, Code, ExitStatus, Generation, Generations, GuestOpen, Hello, Offsets, Open, Output,
    ProcessSpec, ProcessState, Refusal, Reply, TerminalSize, Typed, Who, WireError, chunk, message, output,
    stdin, terminal,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

/// One of each, in the order of the enums.
fn opens() -> Vec<Open> {
    let process = || "agent-1".to_owned();
    vec![
        Open::Hello { generations: Generations { oldest: Generation(1), newest: Generation(1) } },
        Open::Spawn {
            process: process(),
            spec: ProcessSpec {
                argv: vec!["opencode".into(), "acp".into()],
                env: [("HOME".to_owned(), "/home/agent".to_owned())].into(),
                cwd: Some("/workspace".into()),
                stdin: true,
            },
            transient: false,
        },
        Open::Attach { process: process(), from: Offsets { stdout: 4096, stderr: 7 } },
        Open::Stdin { process: process() },
        Open::Signal { process: process(), signal: 15 },
        Open::KillAll { grace_ms: 2000 },
        Open::Forget { process: process() },
        Open::ReadFile { path: "/etc/hostname".into(), limit: 1024, who: Who::Agent },
        Open::WriteFile {
            path: "/home/agent/.netrc".into(),
            mode: 0o600,
            attributes: BTreeMap::new(),
            who: Who::Agent,
        },
        Open::Dial { port: 8080 },
        Open::Processes,
        Open::ListFolder { path: "/workspace".into(), limit: 1000, who: Who::Agent },
        Open::SpawnTerminal {
            process: "terminal-1".into(),
            spec: ProcessSpec {
                argv: vec!["/bin/bash".into()],
                env: [("TERM".to_owned(), "xterm-256color".to_owned())].into(),
                cwd: Some("/workspace".into()),
                stdin: false,
            },
            size: TerminalSize { rows: 24, columns: 80 },
        },
        Open::Terminal { process: "terminal-1".into(), from: 4096 },
        Open::Ports,
        Open::ReadFile { path: "/etc/shadow".into(), limit: 1024, who: Who::Root },
        Open::Stat { path: "/workspace/src".into(), who: Who::Agent },
        Open::MakeFolder { path: "/opt/made".into(), who: Who::Root },
        Open::Rename { from: "/workspace/a".into(), to: "/workspace/b/c".into(), who: Who::Agent },
        Open::Remove { path: "/workspace/b".into(), who: Who::Agent },
        Open::Watch { path: "/workspace".into(), deep: true, who: Who::Agent },
        Open::WriteFile { path: "/workspace/a".into(), mode: 0o644, attributes: kept(), who: Who::Agent },
    ]
}

fn replies() -> Vec<Reply> {
    let generations = Generations { oldest: Generation(1), newest: Generation(1) };
    let state = |status| ProcessState {
        process: "agent-1".into(),
        pid: 42,
        status,
        stdin_written: 3,
        stdout: Bounds { start: 4096, end: 9000 },
        stderr: Bounds { start: 0, end: 7 },
    };
    vec![
        Reply::Refused(Refusal { code: Code::UnknownProcess, message: "there is no process agent-1".into() }),
        Reply::Hello(Hello { version: "0.1.0".into(), generations, link: 2, init: true }),
        Reply::Process(state(None)),
        Reply::Process(state(Some(ExitStatus::Code { code: 0 }))),
        Reply::Done,
        Reply::Killed { count: 5 },
        Reply::File { mode: 0o644 },
        Reply::Processes { processes: vec![state(Some(ExitStatus::Signal { signal: 9 }))] },
        Reply::Folder,
        Reply::Ports { ports: vec![3000, 8080] },
        Reply::Entry { entry: owned(), real: Some("/workspace/run.sh".into()) },
        Reply::Entry {
            entry: FolderEntry { attributes: kept(), ..owned() },
            real: Some("/workspace/run.sh".into()),
        },
    ]
}

/// What is kept with a file.
fn kept() -> BTreeMap<String, String> {
    [("made-by".to_owned(), "a program".to_owned())].into()
}

/// Something of the agent's.
fn owned() -> FolderEntry {
    FolderEntry {
        name: "run.sh".into(),
        kind: FileKind::File,
        bytes: 12,
        modified_ms: 1_763_722_200_000,
        mode: 0o755,
        target: None,
        leads_to: None,
        user: 1000,
        group: 1000,
        attributes: BTreeMap::new(),
    }
}

fn watched() -> Vec<Watched> {
    let event = |what, name: &str| WatchEvent { what, name: name.into() };
    vec![
        Watched::Events { events: vec![event(Change::Created, "a"), event(Change::Written, "a")] },
        Watched::Events { events: vec![event(Change::Renamed, "a"), event(Change::Removed, "b/c")] },
        Watched::Events { events: vec![event(Change::Attributes, "")] },
        Watched::Lost,
    ]
}

fn listed() -> Vec<Listed> {
    let entry = |name: &str, kind, target: Option<&str>, leads_to| FolderEntry {
        name: name.into(),
        kind,
        bytes: 12,
        modified_ms: 1_763_722_200_000,
        mode: 0o755,
        target: target.map(Into::into),
        leads_to,
        user: 0,
        group: 0,
        attributes: BTreeMap::new(),
    };
    vec![
        Listed::Entries {
            entries: vec![
                entry("src", FileKind::Folder, None, None),
                entry("run.sh", FileKind::File, None, None),
                entry("latest", FileKind::Link, Some("/var/log"), Some(FileKind::Folder)),
                entry("broken", FileKind::Link, Some("nowhere"), None),
                entry("pipe", FileKind::Other, None, None),
            ],
        },
        Listed::End { more: true },
    ]
}

fn codes() -> Vec<Code> {
    use Code::*;
    vec![
        Unsupported,
        UnknownProcess,
        NotRunning,
        StillRunning,
        NoStdin,
        OutOfBounds,
        NotFound,
        Denied,
        Unreadable,
        TooMany,
        Failed,
        Exists,
    ]
}

fn outputs() -> Vec<Output> {
    vec![
        Output::Stdout { offset: 4096, bytes: Bytes::from_static(b"{\"jsonrpc\":\"2.0\"}\n") },
        Output::Stderr { offset: u64::MAX, bytes: Bytes::from_static(b"") },
        Output::Exited(ExitStatus::Code { code: -1 }),
        Output::Exited(ExitStatus::Signal { signal: 9 }),
    ]
}

fn typed() -> Vec<Typed> {
    vec![
        Typed::Keys(Bytes::from_static(b"ls\r")),
        Typed::Keys(Bytes::new()),
        Typed::Size(TerminalSize { rows: 50, columns: 300 }),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn encoded(frame: &Output) -> BytesMut {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes).unwrap();
    bytes
}

fn encoded_typed(frame: &Typed) -> BytesMut {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes).unwrap();
    bytes
}

#[test]
fn generation_1_is_read_and_written_as_it_was_frozen() {
    let frozen: Value = serde_json::from_str(include_str!("../schema/gen-1.json")).unwrap();
    let acknowledge = Acknowledge(Offsets { stdout: 9000, stderr: 7 });
    let now = json!({
        "open": opens(),
        "guest_open": [GuestOpen::Gateway],
        "reply": replies(),
        "code": codes(),
        "listed": listed(),
        "watched": watched(),
        "message": hex(&message::encode(&Open::Processes).unwrap()),
        "output": outputs().iter().map(|frame| hex(&encoded(frame))).collect::<Vec<_>>(),
        "acknowledge": hex(&acknowledge.encode()),
        "stdin": hex(&stdin::encode_header(3, 5).unwrap()),
        "stdin_close": hex(&stdin::encode_header(stdin::CLOSE, 0).unwrap()),
        "stdin_ended": hex(&stdin::ENDED.to_be_bytes()),
        "terminal": typed().iter().map(|frame| hex(&encoded_typed(frame))).collect::<Vec<_>>(),
        "chunk": hex(&chunk::encode_header(5).unwrap()),
        "chunk_end": hex(&chunk::END),
        "chunk_failed": hex(&chunk::FAILED),
        "limits": {
            "message": message::MAX_MESSAGE,
            "output": output::MAX_OUTPUT,
            "stdin": stdin::MAX_STDIN_MESSAGE,
            "chunk": chunk::MAX_CHUNK,
            "terminal": terminal::MAX_TYPED,
        },
    });
    assert_eq!(now, frozen, "this build no longer writes generation 1:\n{now:#}");
    read_back(&frozen["open"], &opens());
    read_back(&frozen["guest_open"], &[GuestOpen::Gateway]);
    read_back(&frozen["reply"], &replies());
    read_back(&frozen["code"], &codes());
    read_back(&frozen["listed"], &listed());
    read_back(&frozen["watched"], &watched());
}

fn read_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(frozen: &Value, expected: &[T]) {
    let read: Vec<T> = serde_json::from_value(frozen.clone()).unwrap();
    assert_eq!(read, expected);
}

#[test]
fn what_a_newer_peer_adds_is_ignored() {
    let mut text = serde_json::to_value(Open::KillAll { grace_ms: 1 }).unwrap();
    text["politely"] = true.into();
    assert_eq!(serde_json::from_value::<Open>(text).unwrap(), Open::KillAll { grace_ms: 1 });
    assert_eq!(serde_json::from_value::<Code>("frozen_over".into()).unwrap(), Code::Unknown);
    assert!(matches!(message::decode::<Open>(br#"{"op":"teleport"}"#), Err(WireError::Json { .. })));
}

#[test]
fn output_frames_survive_any_split() {
    let frames = outputs();
    let mut wire = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut wire).unwrap());
    for first in 0..wire.len() {
        for second in first..wire.len() {
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            for piece in [&wire[..first], &wire[first..second], &wire[second..]] {
                buffer.extend_from_slice(piece);
                while let Some(frame) = Output::decode(&mut buffer).unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames, "cut at {first} and {second}");
            assert!(buffer.is_empty());
        }
    }
}

#[test]
fn terminal_frames_survive_any_split() {
    let frames = typed();
    let wire: BytesMut = frames.iter().flat_map(encoded_typed).collect();
    for cut in 0..wire.len() {
        let mut buffer = BytesMut::new();
        let mut seen = Vec::new();
        for piece in [&wire[..cut], &wire[cut..]] {
            buffer.extend_from_slice(piece);
            while let Some(frame) = Typed::decode(&mut buffer).unwrap() {
                seen.push(frame);
            }
        }
        assert_eq!(seen, frames, "cut at {cut}");
        assert!(buffer.is_empty());
    }
}

#[test]
fn nonsense_is_refused_before_it_is_buffered() {
    let decode = |bytes: &[u8]| Output::decode(&mut BytesMut::from(bytes));
    let header = |kind: u8, length: u32| [&[kind][..], &[0; 8], &length.to_be_bytes()].concat();
    let too_long = output::MAX_OUTPUT as u32 + 1;
    assert!(matches!(decode(&header(1, too_long)), Err(WireError::TooLong { .. })));
    assert!(matches!(decode(&header(3, 5)), Err(WireError::TooLong { .. })));
    assert!(matches!(decode(&header(9, 0)), Err(WireError::UnknownKind { kind: 9, .. })));
    assert!(matches!(decode(&header(0, 0)), Err(WireError::UnknownKind { kind: 0, .. })));

    let typed = |bytes: &[u8]| Typed::decode(&mut BytesMut::from(bytes));
    assert!(matches!(typed(&[1, 0xff, 0xff]), Err(WireError::TooLong { .. })));
    assert!(matches!(typed(&[2, 0, 5]), Err(WireError::TooLong { .. })));
    assert!(matches!(typed(&[3, 0, 0]), Err(WireError::UnknownKind { kind: 3, .. })));
    assert!(Typed::Keys(vec![0; terminal::MAX_TYPED + 1].into()).encode(&mut BytesMut::new()).is_err());

    let bytes = Bytes::from(vec![0; output::MAX_OUTPUT + 1]);
    assert!(Output::Stdout { offset: 0, bytes }.encode(&mut BytesMut::new()).is_err());
    assert!(stdin::encode_header(1, stdin::MAX_STDIN_MESSAGE + 1).is_err());
    assert!(chunk::decode_header((chunk::MAX_CHUNK as u32 + 1).to_be_bytes()).is_err());
}

#[test]
fn random_bytes_never_panic_a_decoder() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let length = random.usize(..64);
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = Output::decode(&mut buffer) {}
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = Typed::decode(&mut buffer) {}
        let _ = message::decode::<Open>(&bytes);
        let _ = message::decode::<Reply>(&bytes);
    }
}

#[test]
fn the_longest_names_fit_into_one_message() {
    let entry = FolderEntry {
        // Each of these takes six bytes in JSON.
        name: "\u{1}".repeat(255),
        kind: FileKind::Link,
        bytes: u64::MAX,
        modified_ms: i64::MIN,
        mode: 0o7777,
        target: Some("\u{1}".repeat(MAX_TARGET)),
        leads_to: Some(FileKind::Folder),
        user: u32::MAX,
        group: u32::MAX,
        attributes: BTreeMap::new(),
    };
    let mut entries = vec![entry; MAX_ENTRIES];
    // Each of these takes two.
    let value = "\\".repeat(MAX_ATTRIBUTE_BYTES / MAX_ATTRIBUTES);
    entries[0].attributes = (0..MAX_ATTRIBUTES).map(|n| (n.to_string(), value.clone())).collect();
    message::encode(&Listed::Entries { entries }).unwrap();
    let event = WatchEvent { what: Change::Attributes, name: "\u{1}".repeat(watch::MAX_NAME) };
    message::encode(&Watched::Events { events: vec![event; watch::MAX_EVENTS] }).unwrap();
}
