//! The one door out of a sandbox: models, git and the web; credentials stay on this side.
//!
//! A guest opens a stream for each connection that a program inside makes to `127.0.0.1:7411`, and [`Gateway::serve`]
//! answers it as an HTTP/1.1 server. Who is asking is known from the link itself, so nothing that a program inside
//! sends says who it is or what it may do: that is the [`Grant`].
//!
//! ```text
//! stream ─ HTTP ─┬─ /git/repository.git/…   the host's own git, on the repository of the grant
//!                ├─ /git/OWNER/NAME.git/…   a submodule's repository, as far as the grant has it; read only
//!                ├─ /openai/v1/…            an upstream, with the key added here
//!                ├─ /compatible/NAME/v1/…   likewise, one of the configuration's that speaks OpenAI's protocol
//!                ├─ /anthropic/v1/…         an upstream, with the key added here
//!                ├─ /gemini/v1beta/…        an upstream, with the key added here
//!                ├─ /sessions               children of the session, as far as the grant has them
//!                └─ anything else           404
//! ```
//! Those who come by no link of ours use the same over TCP, and say who they are by a token: [`Gateway::listen`].
//! Connections to the outside and questions for names arrive over sockets of the sandbox's network instead:
//! [`Gateway::serve_web`], and `web` for what is decided there.

mod begun;
mod children;
mod elsewhere;
mod entrance;
mod git;
mod grant;
mod models;
mod serve;
mod slots;
mod tls;
mod upstream;
mod upstream_name;
mod web;

pub use children::{Child, Children, NewChild, NotServed};
pub use elsewhere::{Elsewhere, NotBrought};
pub use entrance::{Asker, Doorkeeper};
pub use grant::{Grant, Ledger, NotReserved, Reservation, Used};
pub use models::{Model, Price, Unlisted};
pub use serve::Gateway;
pub use tls::install_tls_provider;
pub use upstream::{
    ANTHROPIC_BASE, GEMINI_BASE, ModelPrice, OPENAI_BASE, Secret, Tariff, Upstream, Upstreams,
};
pub use upstream_name::{BadUpstreamName, CompatibleName, UpstreamName};
pub use web::{Arrivals, Courier, NotPosted, Outside, Posted, Resolver, SystemResolver, Unresolved, WayOut};
