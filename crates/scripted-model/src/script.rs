//! The script: named scenarios, each a list of steps, as a JSON document.
//!
//! A step is what the model says and does in one answer. `{{NAME}}` in any of its texts is replaced by the value of
//! the marker `[[NAME:VALUE]]` in the prompt, else by the scenario's default for it; `{{step}}` is the number of
//! the step within the turn, from 1.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The scenarios compiled into the program, by name.
const BUILT_IN: [(&str, &str); 15] = [
    ("demo", include_str!("scenarios/demo.json")),
    ("text", include_str!("scenarios/text.json")),
    ("slow", include_str!("scenarios/slow.json")),
    ("sleep", include_str!("scenarios/sleep.json")),
    ("loop", include_str!("scenarios/loop.json")),
    ("fail3", include_str!("scenarios/fail3.json")),
    ("edit", include_str!("scenarios/edit.json")),
    ("many", include_str!("scenarios/many.json")),
    ("plan", include_str!("scenarios/plan.json")),
    ("r429", include_str!("scenarios/r429.json")),
    ("r500", include_str!("scenarios/r500.json")),
    ("r401", include_str!("scenarios/r401.json")),
    ("drop", include_str!("scenarios/drop.json")),
    ("hang", include_str!("scenarios/hang.json")),
    ("garbage", include_str!("scenarios/garbage.json")),
];

/// All that the scripted model knows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The scenario played when the prompt names none.
    #[serde(default = "demo")]
    pub default: String,
    /// The key that a request has to carry, as a vendor would ask for one. None: any or none will do.
    pub key: Option<String>,
    /// The answer to a request that is no turn of a conversation: a title, a summary, a classification. None: made
    /// of the request's words.
    pub side_answer: Option<String>,
    /// Its own; the built-in ones are added.
    #[serde(default)]
    pub scenarios: BTreeMap<String, Scenario>,
}

/// What the model does in a turn, answer by answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub steps: Vec<Step>,
    /// Played instead of `steps` when an earlier prompt of the same conversation chose this scenario already.
    #[serde(default)]
    pub follow_up: Vec<Step>,
    /// Values for `{{NAME}}` where the prompt gives none.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
}

/// One answer: what the model thinks, says and calls, in this order.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Left out where the request does not want to see it.
    pub thinking: String,
    pub text: String,
    /// Several are asked for at once. A step without any ends the turn.
    pub tools: Vec<LogicalTool>,
    /// None: counted from the texts, four bytes a token.
    pub usage: Option<Usage>,
    /// Waited before the answer begins.
    pub delay_ms: u64,
    /// Waited before every piece of text.
    pub chunk_delay_ms: u64,
    pub repeat: Repeat,
    /// What goes wrong first.
    pub fault: Option<Fault>,
    /// What has to be so for this step to be played.
    pub expect: Option<Expectation>,
}

/// What a step wants done, whatever the agent calls its tool for it. Paths are relative to the repository.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LogicalTool {
    Run {
        command: String,
    },
    Write {
        path: String,
        content: String,
    },
    Edit {
        path: String,
        old: String,
        new: String,
    },
    Read {
        path: String,
    },
    List {
        path: String,
    },
    /// The agent's list of what it is going to do; left out when the agent offers no tool for it.
    Plan {
        entries: Vec<String>,
    },
}

/// Tokens, counted the way OpenAI does: `cached` is a part of `input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    pub input: u64,
    #[serde(default)]
    pub cached: u64,
    pub output: u64,
}

/// How many steps this one stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    Forever,
    #[serde(untagged)]
    Times(usize),
}

impl Default for Repeat {
    fn default() -> Self {
        Self::Times(1)
    }
}

/// What goes wrong instead of the step, `times` times, then the step is played; without `times`, always.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    pub times: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Refused with this HTTP status in the vendor's shape.
    Status { code: u16, retry_after_s: Option<u64> },
    /// The connection breaks in the middle of the answer.
    Drop,
    /// No answer comes.
    Hang,
    /// An answer that is not of the protocol.
    Garbage,
}

/// A condition on the results of the tools called in the step before.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// At least one result has this in it.
    pub result_has: String,
    /// Said, and the turn ended, where none has.
    pub otherwise: String,
}

impl Script {
    /// The scenarios of this program alone.
    pub fn built_in() -> Self {
        let mut script = Self { default: demo(), key: None, side_answer: None, scenarios: BTreeMap::new() };
        script.add_built_in().expect("a test reads every built-in scenario");
        script
    }

    /// A script of one's own; the built-in scenarios stay unless it has one of the same name.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut script: Self =
            serde_json::from_str(json).context("the script is not of the expected form")?;
        script.add_built_in()?;
        if !script.scenarios.contains_key(&script.default) {
            bail!("the script's default scenario \"{}\" does not exist", script.default);
        }
        if let Some((name, _)) = script.scenarios.iter().find(|(_, scenario)| scenario.steps.is_empty()) {
            bail!("scenario \"{name}\" has no step");
        }
        Ok(script)
    }

    fn add_built_in(&mut self) -> Result<()> {
        for (name, json) in BUILT_IN {
            let scenario =
                serde_json::from_str(json).with_context(|| format!("built-in scenario \"{name}\""))?;
            self.scenarios.entry(name.to_owned()).or_insert(scenario);
        }
        Ok(())
    }
}

/// The step at a place in a list whose steps may stand for several; none once the list is used up.
pub(crate) fn step_at(steps: &[Step], place: usize) -> Option<&Step> {
    let mut end = 0usize;
    steps.iter().find(|step| {
        end = match step.repeat {
            Repeat::Forever => usize::MAX,
            Repeat::Times(times) => end.saturating_add(times),
        };
        place < end
    })
}

fn demo() -> String {
    "demo".to_owned()
}
