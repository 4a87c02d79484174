//! From a name to addresses, on the host.

use async_trait::async_trait;
use std::net::IpAddr;

/// Asks for a name's addresses. What comes back is not trusted: it is judged, and dialled as it was judged.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// `name` is lower case and without a dot at its end.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved>;
}

/// Why a name has no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved {
    NoSuchName,
    /// Nobody could be asked; it may have addresses.
    Failed,
}

/// The machine's own way, as every program on it resolves: its hosts file, its name servers, its search domains.
#[derive(Debug, Default)]
pub struct SystemResolver;

/// How glibc and musl say that asking again may help; the standard library has nothing but these words of getaddrinfo's.
const TEMPORARY: [&str; 2] = ["Temporary failure", "Try again"];

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        match tokio::net::lookup_host((name, 0)).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
            Err(error) if error.raw_os_error().is_some() => Err(Unresolved::Failed),
            Err(error) => {
                let words = error.to_string();
                let temporary = TEMPORARY.iter().any(|temporary| words.contains(temporary));
                Err(if temporary { Unresolved::Failed } else { Unresolved::NoSuchName })
            }
        }
    }
}
