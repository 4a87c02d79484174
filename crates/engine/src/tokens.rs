//! Tokens by which a session is known to the gateway over TCP. Nothing of them is kept: a token is a session's id and a code that only
//! who has this deployment's sealing key can make, so that a restart knows it again and the database does not help who reads it.

use crate::engine::{Shared, closed};
use crate::error::{CommandError, StartError};
use crate::session::Message;
use crate::{Engine, Secret};
use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use lamplight_domain::SessionId;
use lamplight_gateway::{Asker, Doorkeeper};
use sha2::Sha256;
use std::fmt::Write as _;
use std::sync::{Arc, Weak};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// So that people and scanners know one when they see it.
const PREFIX: &str = "lmg_";
/// What the key is used for beside sealing.
const PURPOSE: &[u8] = b"lamplight gateway tokens 1";

impl Engine {
    /// Serves the gateway to whoever connects to `listener` and has a session's token, until the engine is shut down. Fails where
    /// there is no key to make tokens with.
    pub async fn serve_gateway(&self, listener: TcpListener) -> Result<(), StartError> {
        let key = self.shared.keys.token_key().await.map_err(StartError::Tokens)?;
        let tokens = self.shared.tokens.get_or_init(|| Arc::new(Tokens::new(&key))).clone();
        let keeper = Arc::new(Keeper { shared: Arc::downgrade(&self.shared), tokens });
        let (gateway, mut closing) = (self.shared.gateway.clone(), self.shared.closing());
        self.shared.streams.spawn(async move {
            tokio::select! {
                () = gateway.listen(listener, keeper) => {}
                () = closed(&mut closing) => {}
            }
        });
        Ok(())
    }

    /// By what a session is known to the gateway over TCP; `None` where that is not served.
    pub async fn gateway_token(&self, id: &SessionId) -> Result<Option<String>, CommandError> {
        self.existing(id).await?;
        Ok(self.shared.tokens.get().map(|tokens| tokens.of(id)))
    }
}

/// Makes tokens, and knows its own.
#[derive(Clone)]
pub(crate) struct Tokens {
    code: Hmac<Sha256>,
}

impl Tokens {
    /// `key` is what the deployment seals secrets with; any length.
    fn new(key: &Secret) -> Self {
        Self { code: keyed(&derived(key, PURPOSE)) }
    }

    /// The token of a session, always the same.
    fn of(&self, session: &SessionId) -> String {
        let code = self.code.clone().chain_update(session.to_string()).finalize().into_bytes();
        code.iter().fold(format!("{PREFIX}{session}_"), |mut token, byte| {
            let _always = write!(token, "{byte:02x}");
            token
        })
    }

    /// Whose token this is, if it is one of ours.
    fn session(&self, token: &str) -> Option<SessionId> {
        let (session, digits) = token.strip_prefix(PREFIX)?.split_once('_')?;
        let digits: Vec<u8> =
            digits.chars().map(|c| c.to_digit(16).map(|n| n as u8)).collect::<Option<_>>()?;
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let code: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        // In constant time, and over the text as it came.
        self.code.clone().chain_update(session).verify_slice(&code).ok()?;
        session.parse().ok()
    }
}

/// A key for one purpose, from which the deployment's cannot be found.
pub(crate) fn derived(key: &Secret, purpose: &[u8]) -> [u8; 32] {
    keyed(key.expose().as_bytes()).chain_update(purpose).finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Lets those in whose session has a sandbox.
struct Keeper {
    shared: Weak<Shared>,
    tokens: Arc<Tokens>,
}

#[async_trait]
impl Doorkeeper for Keeper {
    async fn admit(&self, token: &str) -> Option<Asker> {
        let session = self.tokens.session(token)?;
        // A session that sleeps has no sandbox in which anybody could ask.
        let awake = self.shared.upgrade()?.find(&session)?;
        let (reply, answer) = oneshot::channel();
        awake.mailbox.send(Box::new(Message::Admit { reply })).await.ok()?;
        answer.await.ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_session_and_one_deployment() {
        let (ours, others) = (Tokens::new(&Secret::new("a")), Tokens::new(&Secret::new("b")));
        let session: SessionId = "01JD5ZK8W3Q4R6T7V8X9Y0Z1A2".parse().unwrap();
        let token = ours.of(&session);
        assert_eq!((token.len(), &token), (95, &Tokens::new(&Secret::new("a")).of(&session)));
        assert_eq!(ours.session(&token), Some(session));
        assert_eq!(others.session(&token), None);
        for place in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(ours.session(&String::from_utf8(forged).unwrap()), None, "{place}");
        }
        for nonsense in
            ["", "lmg_", &token[..token.len() - 2], &token[..token.len() - 64], &format!("{token}00")]
        {
            assert_eq!(ours.session(nonsense), None, "{nonsense}");
        }
    }
}
