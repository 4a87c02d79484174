//! Questions for names, answered. A name that exists and may be reached has one address, which stands for it; everything else about it
//! (its true addresses, IPv6, services) has no answer. Source: RFC 1035, 4.1; RFC 6761 for `localhost`; RFC 9460 for HTTPS and SVCB.

use super::host::Host;
use super::session::{Refused, Session};
use std::net::Ipv4Addr;

/// The longest question that is read; also the longest over TCP.
pub(super) const MAX_QUESTION: usize = 512;

/// How long an answer may be kept, in seconds. It stays true for as long as the sandbox lives.
const TIME_TO_LIVE: u32 = 60;

const HEADER: usize = 12;
const IN: u16 = 1;
const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;

/// A pointer to the question's name. Source: RFC 1035, 4.1.4.
const THE_NAME: [u8; 2] = [0xc0, 0x0c];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Ok = 0,
    FormatError = 1,
    Failed = 2,
    NoSuchName = 3,
    NotImplemented = 4,
}

/// The answer to one question; `None` for what is none.
pub(super) async fn answer(session: &Session, question: &[u8]) -> Option<Vec<u8>> {
    let header = question.get(..HEADER)?;
    let is_response = header[2] & 0x80 != 0;
    if is_response {
        return None;
    }
    let Some(asked) = Question::parse(question) else {
        return Some(reply(question, &[], Code::FormatError, None));
    };
    let asks_plainly = header[2] & 0x78 == 0 && asked.class == IN;
    let (code, data) = match asks_plainly {
        true => decide(session, &asked).await,
        false => (Code::NotImplemented, None),
    };
    Some(reply(question, asked.bytes, code, data.map(|data| (asked.kind, data))))
}

async fn decide(session: &Session, asked: &Question<'_>) -> (Code, Option<Vec<u8>>) {
    if asked.kind == PTR {
        let name = reversed(&asked.name).and_then(|address| session.name_of(address));
        return match name {
            Some(name) => (Code::Ok, Some(encode(&name))),
            None => (Code::NoSuchName, None),
        };
    }
    let Ok(Host::Name(name)) = asked.name.parse::<Host>() else { return (Code::NoSuchName, None) };
    let address = match name.rsplit('.').next() {
        Some("localhost") => Ok(Ipv4Addr::LOCALHOST),
        _ => session.name(&name).await,
    };
    match (address, asked.kind) {
        (Ok(address), A) => (Code::Ok, Some(address.octets().to_vec())),
        (Ok(_), AAAA | HTTPS | SVCB) => (Code::Ok, None),
        (Ok(_), _) => (Code::NotImplemented, None),
        (Err(Refused::Forbidden(_) | Refused::NoSuchName), _) => (Code::NoSuchName, None),
        (Err(Refused::Unreachable(_)), _) => (Code::Failed, None),
    }
}

struct Question<'a> {
    /// As it was sent, to be repeated in the answer.
    bytes: &'a [u8],
    name: String,
    kind: u16,
    class: u16,
}

impl<'a> Question<'a> {
    /// The one question of a message; names in it are written out.
    fn parse(message: &'a [u8]) -> Option<Self> {
        if message.get(4..6)? != [0, 1] {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*message.get(at)?);
            at += 1;
            match length {
                0 => break,
                1..=63 => labels.push(std::str::from_utf8(message.get(at..at + length)?).ok()?),
                _ => return None,
            }
            at += length;
        }
        let number = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        let bytes = message.get(HEADER..at + 4)?;
        // A dot inside of a label is no border between two.
        let plain = labels.iter().all(|label| !label.contains('.'));
        plain.then_some(Self { bytes, name: labels.join("."), kind: number(at)?, class: number(at + 2)? })
    }
}

fn reply(question: &[u8], asked: &[u8], code: Code, answer: Option<(u16, Vec<u8>)>) -> Vec<u8> {
    let mut message = Vec::with_capacity(MAX_QUESTION);
    message.extend(&question[..2]);
    // A response, from one who recurses; whether that was wanted is repeated.
    message.extend([0x80 | question[2] & 0x79, 0x80 | code as u8]);
    message.extend([0, u8::from(!asked.is_empty()), 0, u8::from(answer.is_some()), 0, 0, 0, 0]);
    message.extend(asked);
    if let Some((kind, data)) = answer {
        message.extend(THE_NAME);
        message.extend(kind.to_be_bytes());
        message.extend(IN.to_be_bytes());
        message.extend(TIME_TO_LIVE.to_be_bytes());
        message.extend(u16::try_from(data.len()).expect("a name or an address").to_be_bytes());
        message.extend(data);
    }
    message
}

/// The address in `4.3.2.1.in-addr.arpa`.
fn reversed(name: &str) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = name.to_ascii_lowercase().strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [a, b, c, d] = address.octets();
    Some(Ipv4Addr::new(d, c, b, a))
}

fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("labels have at most 63 bytes"));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}
