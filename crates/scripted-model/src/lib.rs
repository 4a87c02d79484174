//! A scripted model behind the real model protocols, for the demo and the tests: a real agent, offline, does real
//! work without a model key.
//!
//! It speaks OpenAI chat completions, OpenAI responses and Anthropic messages, streaming and not, under any path
//! prefix. What it says comes from a [`Script`]: the prompt picks a scenario with the marker `[[scenario:NAME]]`,
//! and the step is the number of answers that the request's own history holds since the prompt. So it keeps no
//! memory of conversations: a retry, a resumed session and many sessions at once all get the right step. Only
//! faults that end after some times are counted.
//!
//! A step says what it wants done (`run`, `edit`, …); `tools` turns that into a call of whatever tool the agent
//! offers. Requests beside the conversation (titles, summaries) get a short answer and use up no step.
//!
//! For tests, `GET /_scripted/requests` (`?bodies=true`) and `GET /_scripted/stats` tell what was asked.

mod asked;
mod http;
mod ledger;
mod play;
mod protocol;
mod reply;
mod schema;
mod script;
mod side;
mod tools;

use tokio::net::TcpListener;

pub use self::http::router;
pub use self::script::{Expectation, Fault, FaultKind, LogicalTool, Repeat, Scenario, Script, Step, Usage};

/// Serves the script until the future is dropped.
pub async fn serve(listener: TcpListener, script: Script) -> std::io::Result<()> {
    axum::serve(listener, router(script)).await
}
