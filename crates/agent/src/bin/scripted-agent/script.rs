//! The steps of a prompt.

use crate::peer::misused;
use serde_json::Value;

/// One line of a prompt that begins with `!`. Arguments are separated by a space; the last takes the rest of the line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// `say TEXT`, `think TEXT`
    Say(String),
    Think(String),
    /// `plan ONE; TWO`
    Plan(Vec<String>),
    /// `write PATH TEXT`: really writes, relative to the working directory.
    Write(String, String),
    /// `run COMMAND`: really runs it with `sh -c`; fails when it does.
    Run(String),
    /// `stream CHUNKS MS`: says numbered words, `MS` apart.
    Stream(u64, u64),
    /// `pieces MS ONE|TWO`: says one piece after the other, `MS` apart.
    Pieces(u64, Vec<String>),
    /// `murmur MS ONE|TWO`: the same on standard error, as it stands but that `\n` ends a line.
    Murmur(u64, Vec<String>),
    /// `ask TITLE`: asks for permission and says what the answer was.
    Ask(String),
    /// `ask-form {"message": …, "requestedSchema": …}`: asks a question, with whatever else is in there, and says what was
    /// answered. Does not ask where the client has not offered it.
    AskForm(Value),
    /// `ask-flood N`: asks N times and waits for no answer in between.
    AskFlood(u64),
    /// `call TIMES NAME INPUT`: the same tool with the same input, which succeeds.
    Call(u64, String, String),
    /// `fail TIMES NAME`: the same tool, with another input each time, which fails.
    Fail(u64, String),
    /// `wait MS`; ended early by a cancellation, as everything here.
    Wait(u64),
    /// `hang`: waits for a cancellation.
    Hang,
    /// `ignore-cancel`: from here on.
    IgnoreCancel,
    /// `child`: starts a process in a session of its own that ignores TERM.
    Child,
    /// `bytes N`: N bytes without a newline.
    Bytes(u64),
    /// `garbage N`: N lines that are not JSON.
    Garbage(u64),
    /// `request METHOD`: a request of ours that it must refuse with -32601.
    Request(String),
    /// `notify METHOD`: a notification that nobody knows.
    Notify(String),
    /// `strange-update KIND`: an update of a kind that nobody knows.
    StrangeUpdate(String),
    /// `log TEXT`: to standard error.
    Log(String),
    /// `exit CODE` or `exit signal N`, at once.
    Exit(i32),
    Kill(i32),
    /// `error CODE TEXT`: the prompt ends with this error.
    Error(i64, String),
    /// `stop REASON`: the prompt ends with this stop reason.
    Stop(String),
    /// `late TEXT`: said after the prompt has been answered.
    Late(String),
}

/// The steps of a prompt; those of an ordinary small turn when it has none.
pub(crate) fn parse(prompt: &str, number: usize) -> Vec<Step> {
    let steps: Vec<Step> =
        prompt.lines().filter_map(|line| line.trim().strip_prefix('!')).map(step).collect();
    if !steps.is_empty() {
        return steps;
    }
    vec![
        Step::Think("I write down what I was asked.".into()),
        Step::Plan(vec!["Write it down".into(), "Look at it".into()]),
        Step::Write(format!("turn-{number}.md"), prompt.to_owned()),
        Step::Run(format!("wc -c turn-{number}.md")),
        Step::Say(format!("I wrote turn-{number}.md.")),
    ]
}

fn step(line: &str) -> Step {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let bad = || -> ! { misused(&format!("cannot understand the step {line:?}")) };
    let number = |text: &str| text.parse().unwrap_or_else(|_| bad());
    let pair = || rest.split_once(' ').unwrap_or_else(|| bad());
    match name {
        "say" => Step::Say(rest.to_owned()),
        "think" => Step::Think(rest.to_owned()),
        "plan" => Step::Plan(rest.split(';').map(|entry| entry.trim().to_owned()).collect()),
        "write" => Step::Write(pair().0.to_owned(), format!("{}\n", pair().1)),
        "run" => Step::Run(rest.to_owned()),
        "stream" => Step::Stream(number(pair().0), number(pair().1)),
        "pieces" => Step::Pieces(number(pair().0), pair().1.split('|').map(str::to_owned).collect()),
        "murmur" => {
            let pieces = pair().1.split('|').map(|piece| piece.replace("\\n", "\n"));
            Step::Murmur(number(pair().0), pieces.collect())
        }
        "ask" => Step::Ask(rest.to_owned()),
        "ask-form" => Step::AskForm(serde_json::from_str(rest).unwrap_or_else(|_| bad())),
        "ask-flood" => Step::AskFlood(number(rest)),
        "call" => {
            let (name, input) = pair().1.split_once(' ').unwrap_or((pair().1, ""));
            Step::Call(number(pair().0), name.to_owned(), input.to_owned())
        }
        "fail" => Step::Fail(number(pair().0), pair().1.to_owned()),
        "wait" => Step::Wait(number(rest)),
        "hang" => Step::Hang,
        "ignore-cancel" => Step::IgnoreCancel,
        "child" => Step::Child,
        "bytes" => Step::Bytes(number(rest)),
        "garbage" => Step::Garbage(number(rest)),
        "request" => Step::Request(rest.to_owned()),
        "notify" => Step::Notify(rest.to_owned()),
        "strange-update" => Step::StrangeUpdate(rest.to_owned()),
        "log" => Step::Log(rest.to_owned()),
        "exit" => match rest.strip_prefix("signal ") {
            Some(signal) => Step::Kill(signal.parse().unwrap_or_else(|_| bad())),
            None => Step::Exit(rest.parse().unwrap_or_else(|_| bad())),
        },
        "error" => Step::Error(pair().0.parse().unwrap_or_else(|_| bad()), pair().1.to_owned()),
        "stop" => Step::Stop(rest.to_owned()),
        "late" => Step::Late(rest.to_owned()),
        _ => bad(),
    }
}
