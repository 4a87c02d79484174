//! What passes between `sudo` and the guest. Both are the same program, so nothing here has a version.

use lamplight_wire::ExitStatus;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Bytes of a request. The kernel takes 2 MiB of arguments and environment by default.
const MAX_REQUEST: u64 = 4 * 1024 * 1024;

/// Bytes of an answer.
pub(super) const ANSWER: usize = 5;

/// A command, and how it is to be run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) groups: Vec<u32>,
    pub(super) umask: u32,
    pub(super) folder: OsString,
    pub(super) arguments: Vec<OsString>,
    /// Over what the guest itself was started with.
    pub(super) variables: Vec<(OsString, OsString)>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Ended(ExitStatus),
    /// With this error number.
    NotStarted(i32),
}

/// Of the guest's own environment, what is the agent's alone.
const AGENTS_OWN: &[&str] = &["NPM_CONFIG_PREFIX", "XDG_RUNTIME_DIR"];

impl Request {
    pub(super) fn write(&self, mut to: &File) -> io::Result<()> {
        let numbers = |all: &[u32]| all.iter().map(u32::to_string).collect::<Vec<_>>().join(" ").into_bytes();
        let numbers = [numbers(&[self.user, self.group, self.umask]), numbers(&self.groups)];
        let mut bytes = Vec::new();
        let mut field = |field: &[u8]| {
            bytes.extend_from_slice(&(field.len() as u64).to_le_bytes());
            bytes.extend_from_slice(field);
        };
        numbers.iter().for_each(|numbers| field(numbers));
        field(self.folder.as_bytes());
        field(self.arguments.len().to_string().as_bytes());
        self.arguments.iter().for_each(|argument| field(argument.as_bytes()));
        for (name, value) in &self.variables {
            field(name.as_bytes());
            field(value.as_bytes());
        }
        if bytes.len() as u64 > MAX_REQUEST {
            return Err(io::Error::from_raw_os_error(libc::E2BIG));
        }
        to.write_all(&bytes)
    }

    pub(super) fn read(mut from: &File) -> io::Result<Self> {
        let mut bytes = Vec::new();
        from.rewind()?;
        from.take(MAX_REQUEST).read_to_end(&mut bytes)?;
        Self::parse(&bytes).ok_or_else(|| io::Error::from_raw_os_error(libc::EBADMSG))
    }

    fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk::<8>()?;
            let (field, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            fields.push(OsString::from_vec(field.to_vec()));
            bytes = rest;
        }
        let mut fields = fields.into_iter();
        let who = numbers(&fields.next()?)?;
        let &[user, group, umask] = who.as_slice() else { return None };
        let groups = numbers(&fields.next()?)?;
        let folder = fields.next()?;
        let count = fields.next()?.to_str()?.parse().ok()?;
        let arguments: Vec<_> = fields.by_ref().take(count).collect();
        let rest: Vec<_> = fields.collect();
        let (pairs, []) = rest.as_chunks::<2>() else { return None };
        let variables = pairs.iter().map(|[name, value]| (name.clone(), value.clone())).collect();
        (arguments.len() == count).then_some(Self {
            user,
            group,
            groups,
            umask,
            folder,
            arguments,
            variables,
        })
    }

    /// What the guest was started with, as it is the same for everybody, and over it what was asked for.
    pub(super) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut all: BTreeMap<_, _> = std::env::vars_os().collect();
        all.retain(|name, _| !AGENTS_OWN.iter().any(|own| name == OsStr::new(own)));
        all.extend(self.variables.iter().cloned());
        all
    }
}

fn numbers(text: &OsStr) -> Option<Vec<u32>> {
    text.to_str()?.split_whitespace().map(|number| number.parse().ok()).collect()
}

pub(super) fn encode_answer(answer: Answer) -> [u8; ANSWER] {
    let (kind, number) = match answer {
        Answer::Ended(ExitStatus::Code { code }) => (0, code),
        Answer::Ended(ExitStatus::Signal { signal }) => (1, signal),
        Answer::NotStarted(number) => (2, number),
    };
    let [a, b, c, d] = number.to_le_bytes();
    [kind, a, b, c, d]
}

pub(super) fn decode_answer([kind, a, b, c, d]: [u8; ANSWER]) -> Option<Answer> {
    let number = i32::from_le_bytes([a, b, c, d]);
    match kind {
        0 => Some(Answer::Ended(ExitStatus::Code { code: number })),
        1 => Some(Answer::Ended(ExitStatus::Signal { signal: number })),
        2 => Some(Answer::NotStarted(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_arrives_as_it_was_sent_and_a_torn_one_does_not() {
        let request = Request {
            user: 0,
            group: 0,
            groups: vec![0, 4],
            umask: 0o22,
            folder: "/a b".into(),
            arguments: vec!["sh".into(), String::new().into(), OsString::from_vec(vec![0xff, b'\n'])],
            variables: vec![("A".into(), "b=c".into())],
        };
        let file = tempfile::tempfile().unwrap();
        request.write(&file).unwrap();
        assert_eq!(Request::read(&file).unwrap(), request);
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        assert!(Request::read(&file).is_err());
        file.set_len(0).unwrap();
        assert!(Request::read(&file).is_err());
    }

    #[test]
    fn an_answer_arrives_as_it_was_sent() {
        for answer in [
            Answer::Ended(ExitStatus::Code { code: 255 }),
            Answer::Ended(ExitStatus::Signal { signal: 9 }),
            Answer::NotStarted(2),
        ] {
            assert_eq!(decode_answer(encode_answer(answer)), Some(answer));
        }
        assert_eq!(decode_answer([9; ANSWER]), None);
    }
}
