//! Which step answers a request: pure, a function of the request and the script.

use std::collections::BTreeMap;

use crate::asked::{Asked, Place, marker};
use crate::reply::{Call, Reply};
use crate::script::{Fault, LogicalTool, Scenario, Script, Step, Usage, step_at};
use crate::{side, tools};

/// Said when the scenario has no further step and the agent asks all the same.
const SCRIPT_OVER: &str = "The script is over.";

/// Bytes a token is taken to have where the script gives no numbers.
const BYTES_PER_TOKEN: usize = 4;

#[derive(Debug)]
pub(crate) struct Played {
    /// None for a request beside the conversation.
    pub(crate) at: Option<(String, usize)>,
    pub(crate) fault: Option<Fault>,
    pub(crate) reply: Reply,
}

/// Error: the sentence for the vendor's error, when the prompt names a scenario that there is not.
pub(crate) fn play(script: &Script, asked: &Asked) -> Result<Played, String> {
    let place = asked.place();
    if asked.is_side_request(&place) {
        let text = side::answer(script.side_answer.as_deref(), asked, &place.prompt);
        let reply = reply_of(asked, Step { text, ..Step::default() }, vec![]);
        return Ok(Played { at: None, fault: None, reply });
    }
    let name = marker(&place.prompt, "scenario").unwrap_or(&script.default);
    let scenario = script
        .scenarios
        .get(name)
        .ok_or_else(|| format!("The scripted model has no scenario named '{name}'."))?;
    let steps = steps_for(script, name, scenario, &place);
    let at = Some((name.to_owned(), place.answers));
    let Some(step) = step_at(steps, place.answers) else {
        let reply = reply_of(asked, Step { text: SCRIPT_OVER.to_owned(), ..Step::default() }, vec![]);
        return Ok(Played { at, fault: None, reply });
    };
    let step = fill(step, scenario, &place);
    if let Some(expect) = &step.expect
        && !place.results.iter().any(|result| result.contains(&expect.result_has))
    {
        let said =
            Step { text: expect.otherwise.clone(), chunk_delay_ms: step.chunk_delay_ms, ..Step::default() };
        return Ok(Played { at, fault: None, reply: reply_of(asked, said, vec![]) });
    }
    let calls = step.tools.iter().filter_map(|tool| tools::call(tool, asked)).collect();
    Ok(Played { at, fault: step.fault.clone(), reply: reply_of(asked, step, calls) })
}

fn steps_for<'a>(script: &Script, name: &str, scenario: &'a Scenario, place: &Place) -> &'a [Step] {
    let again =
        place.earlier.iter().any(|prompt| marker(prompt, "scenario").unwrap_or(&script.default) == name);
    if again && !scenario.follow_up.is_empty() { &scenario.follow_up } else { &scenario.steps }
}

fn reply_of(asked: &Asked, step: Step, calls: Vec<Call>) -> Reply {
    let said: usize = calls.iter().map(Call::len).sum::<usize>() + step.text.len() + step.thinking.len();
    let tokens = |bytes: usize| (bytes / BYTES_PER_TOKEN + 1) as u64;
    Reply {
        usage: step.usage.unwrap_or(Usage { input: tokens(asked.bytes), cached: 0, output: tokens(said) }),
        thinking: if asked.thinking { step.thinking } else { String::new() },
        text: step.text,
        calls,
        delay_ms: step.delay_ms,
        chunk_delay_ms: step.chunk_delay_ms,
    }
}

/// The step with `{{NAME}}` replaced in all that it says and does.
fn fill(step: &Step, scenario: &Scenario, place: &Place) -> Step {
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    for (name, default) in &scenario.defaults {
        values.insert(name, marker(&place.prompt, name).unwrap_or(default).to_owned());
    }
    values.insert("step", (place.answers + 1).to_string());
    let filled = |text: &str| {
        values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    };
    let tools = step.tools.iter().map(|tool| match tool {
        LogicalTool::Run { command } => LogicalTool::Run { command: filled(command) },
        LogicalTool::Write { path, content } => {
            LogicalTool::Write { path: filled(path), content: filled(content) }
        }
        LogicalTool::Edit { path, old, new } => {
            LogicalTool::Edit { path: filled(path), old: filled(old), new: filled(new) }
        }
        LogicalTool::Read { path } => LogicalTool::Read { path: filled(path) },
        LogicalTool::List { path } => LogicalTool::List { path: filled(path) },
        LogicalTool::Plan { entries } => {
            LogicalTool::Plan { entries: entries.iter().map(|entry| filled(entry)).collect() }
        }
    });
    Step {
        thinking: filled(&step.thinking),
        text: filled(&step.text),
        tools: tools.collect(),
        ..step.clone()
    }
}
