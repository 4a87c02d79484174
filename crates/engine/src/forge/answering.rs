//! What the agent said to the remarks of a review, where they stand.

use super::status;
use super::work::Trouble;
use crate::Engine;
use lamplight_domain::{Entry, Event, PromptId, Seq, SessionId, TurnNumber};
use lamplight_integrations::section;
use lamplight_store::{ForgeChange, ReplyOwed, ReviewChange, Thread};
use std::collections::BTreeMap;

/// Of one answer, in characters.
const ANSWER_CHARS: usize = 2_000;
/// What one reading of a log brings.
const LOG_ENTRIES: usize = 2_000;
const LOG_BYTES: usize = 4 << 20;

/// Posts what is owed and known.
pub(super) async fn answer(engine: &Engine, thread: &Thread) -> Result<(), Trouble> {
    let (Some(github), Some(number)) = (&engine.shared.github, thread.pull_request) else { return Ok(()) };
    let owed = engine.shared.store.replies_owed(&thread.session).await?;
    if owed.is_empty() {
        return Ok(());
    }
    let Some(repository) = github.repository(&thread.repository) else { return Ok(()) };
    let mut turns = BTreeMap::new();
    for ReplyOwed { about, thread: first, prompt, number: n } in owed {
        if !turns.contains_key(prompt.as_str()) {
            let said = said_in_turn(engine, &thread.session, &prompt).await?;
            turns.insert(prompt.as_str().to_owned(), said);
        }
        let Some(Some(said)) = turns.get(prompt.as_str()) else { continue };
        let mark = status::answer_mark(about);
        let text = format!("{mark}\n{}", section::harmless(&part(said, n), ANSWER_CHARS));
        let done = match first {
            0 => github.comment_once(&repository, number, &mark, &text, false).await.map(drop),
            first => github.reply_once(&repository, number, first, &mark, &text).await,
        };
        match done {
            Err(error) if error.passes() => return Err(error.into()),
            // The thread is gone.
            Err(error) => {
                tracing::info!(session.id = %thread.session, %error, "an answer could not be put where it belongs");
            }
            Ok(()) => {}
        }
        let change = ReviewChange::Replied { session: thread.session.clone(), about };
        engine.shared.store.forge(ForgeChange::Review(Box::new(change))).await?;
    }
    Ok(())
}

/// What the agent said last in the turn of this prompt, once its work is committed.
async fn said_in_turn(
    engine: &Engine,
    session: &SessionId,
    prompt: &PromptId,
) -> Result<Option<String>, Trouble> {
    let mut after = Seq(0);
    let (mut turn, mut said): (Option<TurnNumber>, String) = (None, String::new());
    loop {
        let page = engine.shared.store.read(session, after, LOG_ENTRIES, LOG_BYTES).await?;
        let Some((last, _)) = page.last() else { return Ok(None) };
        after = *last;
        for (_, bytes) in &page {
            let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else { continue };
            match entry.event {
                Event::TurnStarted { turn: number, prompt: of, .. } if of == *prompt => {
                    (turn, said) = (Some(number), String::new());
                }
                Event::AgentSpoke { turn: of, text, .. } if turn == Some(of) => said.push_str(&text),
                Event::ToolCalled { turn: of, .. } if turn == Some(of) => said.clear(),
                Event::WorkCommitted { turn: of, .. } if turn == Some(of) => return Ok(Some(said)),
                Event::PromptRemoved { prompt: of, .. } if of == *prompt => {
                    return Ok(Some("Nobody worked on this: it was taken out of the queue.".to_owned()));
                }
                Event::SessionEnded { .. } => return Ok(Some("The session has ended.".to_owned())),
                _ => {}
            }
        }
    }
}

/// What stands behind `[n]`, up to the next number; where there is none, all.
fn part(said: &str, n: u32) -> String {
    let number_of = |line: &str| {
        let line = line.trim_start_matches([' ', '-', '*', '>']);
        let (number, rest) = line.strip_prefix('[')?.split_once(']')?;
        Some((number.parse::<u32>().ok()?, rest.trim_start_matches(['*', ':', ' ']).to_owned()))
    };
    let (mut found, mut is_in) = (String::new(), false);
    for line in said.lines() {
        match number_of(line) {
            Some((number, rest)) => {
                is_in = number == n;
                if is_in {
                    found = rest;
                }
            }
            None if is_in => {
                found.push('\n');
                found.push_str(line);
            }
            None => {}
        }
    }
    let text = if found.trim().is_empty() { said.trim() } else { found.trim() };
    if text.is_empty() { "Done; the agent said nothing about it.".to_owned() } else { text.to_owned() }
}

/// Whether the session has been given this prompt.
pub(super) async fn was_said(
    engine: &Engine,
    session: &SessionId,
    prompt: &PromptId,
) -> Result<bool, Trouble> {
    let mut after = Seq(0);
    loop {
        let page = engine.shared.store.read(session, after, LOG_ENTRIES, LOG_BYTES).await?;
        let Some((last, _)) = page.last() else { return Ok(false) };
        after = *last;
        let is_it = |bytes: &[u8]| match serde_json::from_slice::<Entry>(bytes) {
            Ok(Entry { event: Event::PromptQueued { prompt: said, .. }, .. }) => said == *prompt,
            Ok(_) | Err(_) => false,
        };
        if page.iter().any(|(_, bytes)| is_it(bytes)) {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn an_answer_is_what_stands_behind_its_number() {
        let said = "All done.\n[1] Renamed it.\n- [2]: Left it,\nbecause it is used.\n**nothing**\n";
        assert_eq!(part(said, 1), "Renamed it.");
        assert_eq!(part(said, 2), "Left it,\nbecause it is used.\n**nothing**");
        assert_eq!(part(said, 3), said.trim());
        assert_eq!(part(" \n", 1), "Done; the agent said nothing about it.");
    }
}
