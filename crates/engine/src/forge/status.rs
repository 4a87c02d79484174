//! The one comment: where a session is, for those who read the issue.

use super::ForgeConfig;
use lamplight_domain::SessionId;
use lamplight_domain::session::{Dollars, Phase, SessionView};
use lamplight_integrations::github::{Occurrence, Words};
use lamplight_integrations::section;
use lamplight_store::Thread;
use std::fmt::Write as _;

/// What all of our own texts have in them.
const OURS: &str = "<!-- lamplight:";
/// Of what explains a session's phase, in characters.
const REASON_CHARS: usize = 1_000;

/// Stands in the comment of this session and nowhere else.
pub(super) fn mark(session: &SessionId) -> String {
    format!("{OURS}session:{session} -->")
}

/// Stands in the answer to this comment or review.
pub(super) fn answer_mark(about: u64) -> String {
    format!("{OURS}answer:{about} -->")
}

/// Stands where a person is asked to look at this commit.
pub(super) fn ask_mark(commit: &str) -> String {
    format!("{OURS}ask:{commit} -->")
}

/// After what was tried by itself.
pub(super) fn ask(mark: &str, person: &str, conflicts: bool, checks: &[&str], words: &Words) -> String {
    let what = if conflicts {
        "the branch still cannot be merged".to_owned()
    } else {
        format!("checks still fail ({})", section::harmless(&checks.join(", "), REASON_CHARS))
    };
    let mention = &words.mention;
    format!("{mark}\n@{person}, {what}. Please have a look; `{mention} …` says what to do about it.")
}

pub(super) fn has_mark(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.contains(OURS))
}

/// What we said ourselves, under whatever name, is not said to us.
pub(super) fn is_ours(occurrence: &Occurrence) -> bool {
    has_mark(occurrence.what.text())
}

/// Where nothing can be done. `why` is ours.
pub(super) fn refused(mark: &str, why: &str) -> String {
    format!("{mark}\nNothing was run: {why}")
}

/// Before there is a session.
pub(super) fn beginning(session: &SessionId, config: &ForgeConfig) -> String {
    section::replace("", &comment(session, config, "Getting the repository.", &[]))
}

/// Why there is none.
pub(super) fn failed(thread: &Thread, config: &ForgeConfig, problem: &str) -> String {
    comment(&thread.session, config, &problem_line(problem), &[])
}

/// As it is now; the same for as long as a reader would see no difference that matters.
pub(super) fn now(view: &SessionView, thread: &Thread, config: &ForgeConfig) -> String {
    let state = match view.phase {
        Phase::Queued => "Waiting for a free place.",
        Phase::Starting | Phase::Planning | Phase::Executing => "At work.",
        Phase::WaitingForYou => "Waiting for an answer in the session.",
        Phase::Stuck => "Stuck.",
        Phase::Paused => "Stopped.",
        Phase::Done => "Done for now.",
        Phase::Failed => "Failed.",
    };
    let mut state = if view.ended { "Ended.".to_owned() } else { state.to_owned() };
    let explains = matches!(view.phase, Phase::Stuck | Phase::Paused | Phase::Failed | Phase::WaitingForYou);
    if let Some(reason) = view.reason.as_ref().filter(|_| explains && !view.ended) {
        let _ = write!(state, " {}.", section::harmless(reason, REASON_CHARS).trim_end_matches('.'));
    }
    if let Some(problem) = &thread.problem {
        let _ = write!(state, "\n\n{}", problem_line(problem));
    }
    let mut facts = Vec::new();
    if let Some(shown) = view.pull_request.as_ref().filter(|_| !thread.is_pull_request()) {
        facts.push(format!("Pull request: {}", shown.url));
    }
    if matches!(view.phase, Phase::Done | Phase::Stuck | Phase::Failed) && view.cost.micros > 0 {
        facts.push(format!("Cost so far: {}", Dollars(view.cost.micros)));
    }
    comment(&view.id, config, &state, &facts)
}

fn problem_line(problem: &str) -> String {
    format!("It does not go on by itself: {}", section::harmless(problem, REASON_CHARS))
}

/// Our own word stands in code, where it calls nobody.
fn comment(session: &SessionId, config: &ForgeConfig, state: &str, facts: &[String]) -> String {
    let mut text = format!(
        "{}\n**Lamplight** · [session]({}/sessions/{session})\n\n{state}\n",
        mark(session),
        config.address
    );
    for fact in facts {
        let _ = write!(text, "\n- {fact}");
    }
    let mention = &config.words.mention;
    let _ = write!(
        text,
        "\n<sub>Say more with `{mention} …` here or on the pull request; `{mention} stop` stops it.</sub>"
    );
    text
}
