//! An agent that does what the prompt says, for tests: a real process that speaks ACP on its standard input and output,
//! keeps its conversations in HOME, and refuses to be misused. A message out of order, an unknown conversation, a prompt
//! that it got before: it prints why and exits with [`peer::MISUSE`], so that a mistake of ours is seen.
//!
//! ```text
//! initialize ─▶ session/new | session/load ─▶ session/prompt ─▶ … steps … ─▶ answer ─▶ session/prompt …
//!                                                      └─ session/cancel ─▶ answer "cancelled"
//! ```
//!
//! A prompt's lines that begin with `!` are steps, see [`script::Step`]; a prompt without any is a small ordinary turn.
//! How it behaves before the first prompt is said by arguments, see [`behaviour::Behaviour`].

mod behaviour;
mod conversation;
mod peer;
mod script;
mod session;
mod turn;

fn main() {
    let behaviour = behaviour::Behaviour::from_arguments(std::env::args().skip(1));
    behaviour::become_deaf_if(&behaviour);
    session::Session::new(behaviour, peer::Peer::start()).run();
}
