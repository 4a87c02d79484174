//! What a session's models were asked for, turn by turn: summed up from its log when somebody looks.

use crate::error::CommandError;
use crate::{Engine, LogRange};
use lamplight_domain::session::view::Cost;
use lamplight_domain::transcript::Tokens;
use lamplight_domain::{Seq, SessionId, TurnNumber};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Entries that are read at a time.
const PAGE: usize = 2_000;

/// One model in one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    pub turn: TurnNumber,
    pub model: String,
    /// Answers of the model.
    pub requests: u32,
    pub tokens: Tokens,
    pub cost: Cost,
}

/// The little of an entry that counts here; all others are not even looked into.
#[derive(Deserialize)]
struct Entry {
    event: Event,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    TokensUsed {
        turn: TurnNumber,
        model: String,
        tokens: Tokens,
        #[serde(default)]
        cost_micros: Option<u64>,
    },
    #[serde(other)]
    Another,
}

impl Engine {
    /// By turn, and in each by model's name.
    pub async fn spent(&self, id: &SessionId) -> Result<Vec<Spent>, CommandError> {
        let mut sums: BTreeMap<(TurnNumber, String), Spent> = BTreeMap::new();
        let mut after = Seq(0);
        loop {
            let page = self.log(id, LogRange::After { seq: after, limit: PAGE }).await?;
            let Some((last, _)) = page.entries.last() else { return Ok(sums.into_values().collect()) };
            after = *last;
            for (_, text) in &page.entries {
                if let Ok(Entry { event: Event::TokensUsed { turn, model, tokens, cost_micros } }) =
                    serde_json::from_slice(text)
                {
                    let sum = sums.entry((turn, model.clone())).or_insert_with(|| Spent {
                        turn,
                        model,
                        requests: 0,
                        tokens: Tokens::default(),
                        cost: Cost::default(),
                    });
                    sum.requests += 1;
                    sum.tokens += tokens;
                    sum.cost.add(cost_micros);
                }
            }
        }
    }
}
