//! What is told of the servers, and where a session is.

use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use crate::passes::Passes;
use crate::servers::RENEW;
use lamplight_domain::SessionId;
use lamplight_store::Owner;

/// One of the servers on the same database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    pub number: i64,
    /// Where the others reach it; empty where it has none.
    pub address: String,
    pub version: String,
    pub is_alive: bool,
    /// The one that is asked.
    pub is_this: bool,
}

/// Which server answers for a session, or for a sandbox that is lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    Here,
    /// The server of this number, at this address.
    At {
        server: i64,
        address: String,
    },
}

impl Engine {
    /// Where a session is; here, where it is nobody's or cannot be found out.
    pub async fn whereabouts(&self, id: &SessionId) -> Whereabouts {
        if self.shared.store.is_held(id) {
            return Whereabouts::Here;
        }
        match self.shared.store.owner(id).await {
            Ok(Owner::Other(server)) => Whereabouts::At { server: server.number, address: server.address },
            Ok(Owner::Ours | Owner::Nobody | Owner::Newer) | Err(_) => Whereabouts::Here,
        }
    }

    /// Where a sandbox is that is lent; here, where there is none, its server is gone, or it cannot be found out.
    pub async fn whereabouts_of_lent(&self, id: &SessionId) -> Whereabouts {
        match self.shared.store.lent_by(id).await {
            Ok(Some(server)) if server.is_alive && !server.is_us => {
                Whereabouts::At { server: server.number, address: server.address }
            }
            Ok(Some(_) | None) | Err(_) => Whereabouts::Here,
        }
    }

    /// Resolves when this server is taken for dead, by the looks of this one.
    pub async fn is_gone(&self, server: i64) {
        // One that has just come is seen at the next look.
        tokio::time::sleep(2 * RENEW).await;
        let mut alive = self.shared.servers.alive.subscribe();
        let is_there = |alive: &Option<Vec<i64>>| alive.as_ref().is_none_or(|alive| alive.contains(&server));
        let is_seen = alive.wait_for(|alive| !is_there(alive)).await.is_ok();
        if !is_seen {
            std::future::pending::<()>().await;
        }
    }

    /// The number of this server; 0 where there can be no other.
    pub fn server(&self) -> i64 {
        self.shared.store.server()
    }

    /// Whether this server has its lease; without it, it works on nothing.
    pub fn is_leased(&self) -> bool {
        self.shared.servers.is_held()
    }

    /// Whether what a session pushes at this moment is taken here, as its gateway asks.
    pub fn may_push(&self, id: &SessionId) -> bool {
        self.shared.may_push(id)
    }

    /// All that use the same database, or did within a day; none on SQLite.
    pub async fn servers(&self) -> Result<Vec<ServerInfo>, CommandError> {
        let rows = self.shared.store.servers().await?;
        let info = |row: lamplight_store::ServerRow| ServerInfo {
            number: row.number,
            address: row.address,
            version: row.version,
            is_alive: row.is_alive,
            is_this: row.is_us,
        };
        Ok(rows.into_iter().map(info).collect())
    }

    /// For previews and what a browser brings back: known to every server of this database, else to this process alone.
    pub fn passes(&self) -> std::io::Result<Passes> {
        self.shared.passes()
    }
}

impl Shared {
    /// Whether nobody else can have the session at this moment.
    pub(crate) fn may_push(&self, id: &SessionId) -> bool {
        self.servers.is_held() && self.store.is_held(id)
    }

    fn passes(&self) -> std::io::Result<Passes> {
        self.servers.previews.map_or_else(Passes::new, |key| Ok(Passes::of(key)))
    }
}
