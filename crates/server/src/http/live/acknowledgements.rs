//! What a reader has and has not confirmed.

use super::UNACKNOWLEDGED;
use lamplight_domain::Seq;
use std::time::Duration;
use tokio::time::Instant;

/// The account of one reader.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    sent: Seq,
    acknowledged: Seq,
    /// Since when more is unacknowledged than a reader may leave so, without a word from it.
    waiting_since: Option<Instant>,
}

impl Acknowledgements {
    /// What a reader resumes after, it has.
    pub(super) fn new(resumed_after: Seq) -> Self {
        Self { sent: resumed_after, acknowledged: resumed_after, waiting_since: None }
    }

    pub(super) fn sent(&self) -> Seq {
        self.sent
    }

    pub(super) fn send(&mut self, seq: Seq, now: Instant) {
        self.sent = seq;
        if self.is_over() && self.waiting_since.is_none() {
            self.waiting_since = Some(now);
        }
    }

    /// An acknowledgement of more than was sent counts for what was sent; one of less than before, for nothing.
    pub(super) fn acknowledge(&mut self, seq: Seq, now: Instant) {
        let seq = seq.min(self.sent);
        if seq > self.acknowledged {
            self.acknowledged = seq;
            self.waiting_since = self.is_over().then_some(now);
        }
    }

    /// When this reader is given up, unless it acknowledges something before.
    pub(super) fn given_up_at(&self, patience: Duration) -> Option<Instant> {
        self.waiting_since.map(|since| since + patience)
    }

    /// More is unacknowledged than a reader may leave so for long.
    pub(super) fn is_over(&self) -> bool {
        self.sent.0 - self.acknowledged.0 > UNACKNOWLEDGED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_quiet_reader_is_given_up_only_over_the_bound() {
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let mut account = Acknowledgements::new(Seq(10));
        account.send(Seq(1_010), start);
        assert_eq!(account.given_up_at(PATIENCE), None);
        account.send(Seq(1_011), later(100));
        account.send(Seq(1_500), later(110));
        assert_eq!(account.given_up_at(PATIENCE), Some(later(160)));
        // Some progress restarts the wait, none does not, enough ends it.
        account.acknowledge(Seq(11), later(120));
        assert_eq!(account.given_up_at(PATIENCE), Some(later(180)));
        account.acknowledge(Seq(11), later(130));
        account.acknowledge(Seq(5), later(130));
        assert_eq!(account.given_up_at(PATIENCE), Some(later(180)));
        account.acknowledge(Seq(500), later(140));
        assert_eq!(account.given_up_at(PATIENCE), None);
        account.acknowledge(Seq(9_999), later(150));
        assert_eq!(account.acknowledged, Seq(1_500));
    }
}
