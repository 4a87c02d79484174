//! `[gateway]`: where the gateway is reached over TCP, by those who come by no link to a sandbox of ours.

use super::ConfigError;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// `[gateway]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// Address and port, where it is to be reached so; port 0 takes a free one. It speaks plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// What others reach that by, such as `https://gateway.example.org` of something before it that speaks TLS. Default: the address
    /// that is listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Gateway {
    /// Tokens and what is worked on pass in the open, so beyond this machine something has to be before it.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        if let Some(url) = &self.url {
            let rest = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
            if rest.is_none_or(|rest| {
                rest.trim_end_matches('/').contains(['/', '@', '?', '#', ' ']) || rest.is_empty()
            }) {
                return invalid(format!("gateway.url is {url:?}; say it like https://gateway.example.org"));
            }
        }
        match (self.listen, &self.url) {
            (None, Some(_)) => invalid("gateway.url is only used with gateway.listen".to_owned()),
            (Some(listen), None) if !listen.ip().is_loopback() => invalid(format!(
                "gateway.listen is {listen}, which others reach in the open; say in gateway.url by what address they reach it through something that speaks TLS"
            )),
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// The address to give to others, of what listens there.
    pub fn address(&self, listening: SocketAddr) -> String {
        match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{listening}"),
        }
    }
}
