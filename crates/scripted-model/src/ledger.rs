//! What was asked of the server, for tests to look at, and how often each fault has happened. Bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

use crate::script::Fault;

/// Requests remembered; older ones are forgotten first.
const MAX_RECORDS: usize = 512;

/// Bytes of request bodies remembered over all records.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Places in conversations for which faults are counted; all are forgotten when there are more.
const MAX_FAULT_PLACES: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    records: VecDeque<Record>,
    body_bytes: usize,
    requests: u64,
    by_protocol: BTreeMap<&'static str, u64>,
    by_scenario: BTreeMap<String, u64>,
    by_status: BTreeMap<u16, u64>,
    side_requests: u64,
    fault_counts: HashMap<u64, u32>,
    faults: u64,
}

/// One request to a model and what became of it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) protocol: &'static str,
    pub(crate) path: String,
    /// How the request showed who asks: `bearer`, `x-api-key` or nothing; the key itself is not kept.
    pub(crate) credential: Option<&'static str>,
    pub(crate) status: u16,
    /// The misuse or fault answered with.
    pub(crate) problem: Option<String>,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) tools: Vec<String>,
    pub(crate) prompt: String,
    /// Scenario and place of the step; none for a request beside the conversation, and for misuse.
    pub(crate) at: Option<(String, usize)>,
    pub(crate) body: String,
}

impl Ledger {
    pub(crate) fn record(&mut self, record: Record) {
        self.requests += 1;
        *self.by_protocol.entry(record.protocol).or_default() += 1;
        *self.by_status.entry(record.status).or_default() += 1;
        match &record.at {
            Some((scenario, _)) => *self.by_scenario.entry(scenario.clone()).or_default() += 1,
            None if record.problem.is_none() => self.side_requests += 1,
            None => {}
        }
        self.body_bytes += record.body.len();
        self.records.push_back(record);
        while self.records.len() > MAX_RECORDS || self.body_bytes > MAX_BODY_BYTES {
            let Some(oldest) = self.records.pop_front() else { break };
            self.body_bytes -= oldest.body.len();
        }
    }

    /// Whether the fault happens at this place of a conversation, which is counted when it does.
    pub(crate) fn strikes(&mut self, fault: &Fault, place: u64) -> bool {
        if self.fault_counts.len() >= MAX_FAULT_PLACES {
            self.fault_counts.clear();
        }
        let count = self.fault_counts.entry(place).or_default();
        if fault.times.is_some_and(|times| *count >= times) {
            return false;
        }
        *count = count.saturating_add(1);
        self.faults += 1;
        true
    }

    pub(crate) fn requests(&self, with_bodies: bool) -> Value {
        let first = self.requests - self.records.len() as u64 + 1;
        self.records.iter().zip(first..).map(|(record, n)| record.shown(n, with_bodies)).collect()
    }

    pub(crate) fn stats(&self) -> Value {
        json!({
            "requests": self.requests, "by_protocol": self.by_protocol, "by_scenario": self.by_scenario,
            "by_status": self.by_status, "side_requests": self.side_requests, "faults": self.faults,
        })
    }
}

impl Record {
    fn shown(&self, n: u64, with_body: bool) -> Value {
        let (scenario, step) = match &self.at {
            Some((scenario, answers)) => (json!(scenario), json!(answers + 1)),
            None => (Value::Null, Value::Null),
        };
        let mut shown = json!({
            "n": n, "protocol": self.protocol, "path": self.path, "credential": self.credential,
            "status": self.status, "problem": self.problem, "model": self.model, "stream": self.stream,
            "tools": self.tools, "prompt": self.prompt, "scenario": scenario, "step": step,
        });
        if with_body {
            shown["body"] = serde_json::from_str(&self.body).unwrap_or_else(|_| json!(self.body));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::FaultKind;

    fn record(body: String) -> Record {
        Record {
            protocol: "chat",
            path: "/v1/chat/completions".into(),
            credential: None,
            status: 200,
            problem: None,
            model: "m".into(),
            stream: false,
            tools: vec![],
            prompt: "hi".into(),
            at: Some(("text".into(), 0)),
            body,
        }
    }

    #[test]
    fn memory_is_bounded_by_count_and_by_bytes() {
        let mut ledger = Ledger::default();
        for _ in 0..MAX_RECORDS + 5 {
            ledger.record(record("{}".into()));
        }
        assert_eq!(ledger.requests(false).as_array().unwrap().len(), MAX_RECORDS);
        assert_eq!(ledger.requests(false)[0]["n"], 6);
        ledger.record(record("x".repeat(MAX_BODY_BYTES)));
        assert_eq!(ledger.requests(false).as_array().unwrap().len(), 1);
        assert_eq!(ledger.stats()["by_scenario"]["text"], MAX_RECORDS + 6);
    }

    #[test]
    fn a_fault_happens_as_often_as_it_says_at_each_place() {
        let mut ledger = Ledger::default();
        let fault = Fault { kind: FaultKind::Drop, times: Some(2) };
        let struck: Vec<_> = [1, 1, 2, 1, 2, 2].map(|place| ledger.strikes(&fault, place)).into();
        assert_eq!(struck, [true, true, true, false, true, false]);
    }
}
