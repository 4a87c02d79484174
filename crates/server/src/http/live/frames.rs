//! The control frames of an event stream, and what a client may say.

use super::presence::Present;
use lamplight_domain::{Seq, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Message;

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub(super) enum Control<'a> {
    /// Everything that was in the log when the stream was opened has been sent.
    Live { last_seq: Seq },
    Heartbeat {
        at: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_seq: Option<Seq>,
    },
    /// Who follows this session now, by name.
    Present { people: &'a [Present] },
    /// Come back with this `seq`; the server closes.
    Resume { seq: Seq, reason: Reason },
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    SlowReader,
    GoingAway,
}

impl Control<'_> {
    pub(super) fn message(self) -> Message {
        Message::text(serde_json::to_string(&self).expect("a control frame is numbers and words"))
    }
}

/// What a client may say; both may be in one frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClientFrame {
    pub resume: Option<Seq>,
    pub ack: Option<Seq>,
}

impl ClientFrame {
    /// `None`: it is not a frame of this protocol.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|frame| *frame != Self::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_the_contract_says() {
        let check = |control: Control<'_>, text: &str| {
            assert_eq!(control.message().to_text().unwrap(), text);
        };
        check(Control::Live { last_seq: Seq(7) }, r#"{"control":"live","last_seq":7}"#);
        let heartbeat = Control::Heartbeat { at: Timestamp(5), last_seq: Some(Seq(7)) };
        check(heartbeat, r#"{"control":"heartbeat","at":5,"last_seq":7}"#);
        check(Control::Heartbeat { at: Timestamp(5), last_seq: None }, r#"{"control":"heartbeat","at":5}"#);
        let people = [Present { name: "Ada".to_owned(), streams: 2 }];
        let present = r#"{"control":"present","people":[{"name":"Ada","streams":2}]}"#;
        check(Control::Present { people: &people }, present);
        let resume = Control::Resume { seq: Seq(7), reason: Reason::SlowReader };
        check(resume, r#"{"control":"resume","seq":7,"reason":"slow_reader"}"#);
    }

    #[test]
    fn a_client_says_resume_or_ack() {
        let ack = ClientFrame { ack: Some(Seq(3)), resume: None };
        assert_eq!(ClientFrame::read(r#"{"ack":3}"#), Some(ack));
        let resume = ClientFrame { resume: Some(Seq(0)), ack: None };
        assert_eq!(ClientFrame::read(r#"{"resume":0}"#), Some(resume));
        for other in ["{}", "[]", "hello", r#"{"ack":-1}"#, r#"{"ask":1}"#, ""] {
            assert_eq!(ClientFrame::read(other), None, "{other}");
        }
    }
}
