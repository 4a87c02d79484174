//! Posts to addresses that people name: by the same judgement as for those inside, so that nobody has this machine ask its own services, its
//! network or its cloud for something. What is answered is not read beyond its head, and nobody is led on to another address.

use super::Outside;
use super::host::Host;
use super::resolver::Unresolved;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Url};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Of an address.
const LONGEST_URL: usize = 2048;

/// Goes with what is to be posted.
pub struct Courier {
    outside: Arc<Outside>,
    /// Made when it is first needed: it reads the certificates that this machine trusts.
    client: OnceCell<Client>,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    pub status: u16,
    /// After so many seconds it should be asked again.
    pub retry_after_s: Option<u64>,
}

/// Why nothing was answered, in a few words that begin with "it".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPosted(String);

impl Courier {
    /// For one post, from its name being resolved to the head of its answer.
    pub const TIMEOUT: Duration = Duration::from_secs(15);

    pub fn new(outside: Outside) -> Self {
        Self { outside: Arc::new(outside), client: OnceCell::new() }
    }

    /// Whether something may be posted there, as far as the address tells; otherwise why not.
    ///
    /// # Errors
    /// A sentence for whoever named the address.
    pub fn check(&self, url: &str) -> Result<(), String> {
        self.target(url).map(drop)
    }

    /// Takes [`Courier::TIMEOUT`] at the most.
    ///
    /// # Errors
    /// When it may not be reached, is not, or does not answer in time.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<Posted, NotPosted> {
        let url = self.target(url).map_err(NotPosted)?;
        let client = self.client.get_or_try_init(|| async { self.made() }).await;
        let client = client.map_err(|error| NotPosted(told(&error)))?;
        let mut asked = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            asked = asked.header(*name, value);
        }
        let answer = asked.send().await.map_err(|error| NotPosted(told(&error)))?;
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Posted {
            status: answer.status().as_u16(),
            retry_after_s: retry_after.and_then(|text| text.parse().ok()),
        })
    }

    /// A name is judged again when it is resolved; an address never is.
    fn target(&self, text: &str) -> Result<Url, String> {
        let wrong = |why: &str| Err(format!("{why}; say it like https://ci.example.org/lamplight"));
        if text.len() > LONGEST_URL {
            return wrong(&format!("it is longer than {LONGEST_URL} characters"));
        }
        let Ok(url) = Url::parse(text) else { return wrong("it is no address") };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return wrong("nobody's name, password or fragment belongs in it");
        }
        let Some(host) = url.host_str().and_then(|host| host.parse::<Host>().ok()) else {
            return wrong("it names no host");
        };
        let asked = host.to_string();
        match url.scheme() {
            "https" => {}
            "http" if self.outside.allows_private(&asked) => {}
            _ => return wrong("it does not begin with https://"),
        }
        match host {
            Host::Address(address) if self.outside.allowed(&asked, &[address]).is_empty() => Err(format!(
                "{asked} is no public address; hooks.allow_private in the configuration names those that may be told all the same"
            )),
            Host::Address(_) | Host::Name(_) => Ok(url),
        }
    }

    fn made(&self) -> Result<Client, reqwest::Error> {
        Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Self::TIMEOUT)
            // Each is resolved and judged by itself.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("Lamplight/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Judged(self.outside.clone()))
            .build()
    }
}

impl fmt::Display for NotPosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotPosted {}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("outside", &self.outside).finish_non_exhaustive()
    }
}

/// Gives only addresses that may be dialled.
struct Judged(Arc<Outside>);

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let outside = self.0.clone();
        Box::pin(async move {
            let asked = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let all = outside.resolver.resolve(&asked).await.map_err(|error| match error {
                Unresolved::NoSuchName => "there is no such name",
                Unresolved::Failed => "its name cannot be resolved now",
            })?;
            let allowed: Vec<IpAddr> = outside.allowed(&asked, &all);
            if allowed.is_empty() {
                return Err("it has no public address".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// What went wrong at its root, without the address, which whoever reads it knows.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("it did not answer within {} s", Courier::TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("it was not reached: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resolver;
    use async_trait::async_trait;

    struct Inside;

    #[async_trait]
    impl Resolver for Inside {
        async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
            match name {
                "nowhere.test" => Err(Unresolved::NoSuchName),
                _ => Ok(vec!["127.0.0.1".parse().unwrap(), "169.254.169.254".parse().unwrap()]),
            }
        }
    }

    fn courier(private: &[&str]) -> Courier {
        let allow_private = private.iter().map(|text| text.parse().unwrap()).collect();
        Courier::new(Outside { allow_private, resolver: Arc::new(Inside), ..Outside::default() })
    }

    #[test]
    fn an_address_is_https_and_public_unless_it_is_named() {
        let check = |private: &[&str], url: &str, why: Option<&str>| {
            let refused = courier(private).check(url).err();
            match (why, &refused) {
                (None, None) => {}
                (Some(why), Some(refused)) if refused.contains(why) => {}
                other => panic!("{url}: {other:?}"),
            }
        };
        check(&[], "https://ci.example.org/hooks?team=7", None);
        check(&[], "http://ci.example.org/", Some("https://"));
        check(&["ci.example.org"], "http://ci.example.org/", None);
        check(&[], "ftp://ci.example.org/", Some("https://"));
        check(&[], "ci.example.org", Some("no address"));
        check(&[], "https://ada:word@ci.example.org/", Some("password"));
        check(&[], "https://ci.example.org/#a", Some("fragment"));
        for inside in [
            "127.0.0.1",
            "169.254.169.254",
            "10.0.0.7",
            "[::1]",
            "2130706433",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
        ] {
            check(&[], &format!("https://{inside}/"), Some("no public address"));
        }
        check(&["127.0.0.1"], "http://127.0.0.1:8080/x", None);
        check(&["127.0.0.1"], "https://10.0.0.7/", Some("hooks.allow_private"));
        check(&[], &format!("https://a.test/{}", "x".repeat(3000)), Some("longer"));
    }

    /// It is judged by what it is resolved to, when it is.
    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_reached() {
        crate::install_tls_provider();
        let post = async |url: &str| courier(&[]).post(url, &[], "{}".into()).await;
        let refused = post("https://rebound.test/").await.unwrap_err();
        assert!(refused.to_string().contains("it has no public address"), "{refused}");
        let refused = post("https://nowhere.test/").await.unwrap_err();
        assert!(refused.to_string().contains("there is no such name"), "{refused}");
    }
}
