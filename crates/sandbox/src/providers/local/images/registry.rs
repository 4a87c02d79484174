//! An image of a registry, fetched into a folder as an OCI layout. Asked without credentials, as anybody may ask.
//!
//! Source: the OCI distribution specification, "Pulling manifests", "Pulling blobs"; the token protocol of Docker's registry
//! (distribution.github.io, "Token Authentication Specification").

use super::ImageProgress;
use super::compression::Hashing;
use super::oci::{DOCUMENT, Descriptor, Manifest, blob_path};
use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{ACCEPT, AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(15);
/// Longest wait for the next byte.
const SILENCE: Duration = Duration::from_secs(60);
/// Indexes in indexes.
const DEPTH: usize = 4;
/// What is said of a refusal at most; characters.
const REASON: usize = 300;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// `docker.io/library/debian:12`, `ghcr.io/owner/name@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Host, and port where there is one.
    registry: String,
    repository: String,
    /// A tag, or a digest with its algorithm.
    version: String,
}

impl Reference {
    /// `None` for what names no registry, or is otherwise no reference.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (registry, rest) = text.split_once('/')?;
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        let names_a_host = registry.contains(['.', ':']) || registry == "localhost";
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (name, None),
        };
        let part = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            part.bytes().next().is_some_and(plain)
                && part.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
        };
        let is_tag = |tag: &str| {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            tag.len() <= 128
                && tag.bytes().next().is_some_and(word)
                && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
        };
        let is_one = names_a_host
            && registry.bytes().all(host)
            && repository.split('/').all(part)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(|digest| blob_path(digest).is_ok());
        let official = matches!(registry, "docker.io" | "index.docker.io") && !repository.contains('/');
        is_one.then(|| Self {
            registry: registry.to_owned(),
            repository: if official { format!("library/{repository}") } else { repository.to_owned() },
            version: digest.or(tag).unwrap_or("latest").to_owned(),
        })
    }

    /// In the clear only where it stays on this machine.
    fn base(&self) -> Result<Url> {
        let host = match self.registry.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        let encrypted = Url::parse(&format!("https://{host}/v2/{}/", self.repository))
            .with_context(|| format!("make the address of {self}"))?;
        if !is_this_machine(&encrypted) {
            return Ok(encrypted);
        }
        Ok(Url::parse(&format!("http://{host}/v2/{}/", self.repository))?)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.version.contains(':') { '@' } else { ':' };
        write!(f, "{}/{}{sign}{}", self.registry, self.repository, self.version)
    }
}

/// Fetches manifest, configuration and layers into an empty folder. Whether they are what their digests say is seen by whoever
/// unpacks them.
pub(super) async fn pull(reference: &Reference, to: &Path, tell: &dyn Fn(ImageProgress)) -> Result<()> {
    fs::create_dir_all(to.join("blobs/sha256")).context("make a folder for what is fetched")?;
    fs::write(to.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut registry = Registry {
        client: Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).build()?,
        base: reference.base()?,
        token: None,
    };
    let (config, layers) = registry.manifests(&reference.version, to).await?;
    for (number, blob) in layers.iter().chain([&config]).enumerate() {
        if number < layers.len() {
            tell(ImageProgress::Fetching { layer: number + 1, of: layers.len(), bytes: blob.size });
        }
        registry.blob(blob, to).await.with_context(|| format!("fetch {}", blob.digest))?;
    }
    Ok(())
}

struct Registry {
    client: Client,
    /// Ends in the repository's name and a slash.
    base: Url,
    /// From whoever the registry said gives them out.
    token: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// From the one that was asked for to the one for this machine. The first is what the layout names: all others are named by it.
    async fn manifests(&mut self, version: &str, to: &Path) -> Result<(Descriptor, Vec<Descriptor>)> {
        let mut wanted = version.to_owned();
        for depth in 0..DEPTH {
            let response = self.get(&format!("manifests/{wanted}"), Some(MANIFESTS)).await?;
            let text = small(response).await.with_context(|| format!("fetch the manifest {wanted}"))?;
            let (digest, size) = Hashing::new(&text[..]).finish()?;
            let digest = format!("sha256:{digest}");
            ensure!(
                !wanted.contains(':') || digest == wanted,
                "the manifest is not what {wanted} was made for"
            );
            fs::write(to.join(blob_path(&digest)?), &text)?;
            if depth == 0 {
                let named = serde_json::json!({
                    "schemaVersion": 2,
                    "manifests": [{ "mediaType": "", "digest": digest, "size": size }],
                });
                fs::write(to.join("index.json"), named.to_string())?;
            }
            match Manifest::read(&text)? {
                Manifest::Index(next) => wanted = next.digest,
                Manifest::Image { config, layers } => return Ok((config, layers)),
            }
        }
        bail!("its indexes lead to no image")
    }

    async fn blob(&mut self, blob: &Descriptor, to: &Path) -> Result<()> {
        let path = to.join(blob_path(&blob.digest)?);
        if path.exists() {
            return Ok(());
        }
        let mut response = self.get(&format!("blobs/{}", blob.digest), None).await?;
        let (mut file, mut left) = (File::create(&path)?, blob.size);
        while let Some(chunk) = response.chunk().await? {
            left =
                left.checked_sub(chunk.len() as u64).context("there is more of it than there should be")?;
            file.write_all(&chunk)?;
        }
        ensure!(left == 0, "{left} bytes of it are missing");
        Ok(())
    }

    /// Asks, and asks again with a token where one is wanted.
    async fn get(&mut self, path: &str, accept: Option<&str>) -> Result<Response> {
        let url = self.base.join(path).context("make an address")?;
        for _ in 0..2 {
            let mut request = self.client.get(url.clone());
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if let Some(token) = &self.token {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.send().await.with_context(|| format!("ask {}", host(&url)))?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                StatusCode::UNAUTHORIZED if self.token.is_none() => {
                    let challenge = response.headers().get(WWW_AUTHENTICATE);
                    let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default();
                    self.token = Some(self.ask_for_token(challenge).await?);
                }
                status => bail!("{} answers {status}: {}", host(&url), reason(response).await),
            }
        }
        bail!("{} wants another token than it gave out", host(&url))
    }

    async fn ask_for_token(&self, challenge: &str) -> Result<String> {
        let fields = bearer(challenge).with_context(|| {
            format!(
                "{} gives this image only to those whom it knows, and none is known here",
                host(&self.base)
            )
        })?;
        let mut url = fields
            .get("realm")
            .and_then(|realm| Url::parse(realm).ok())
            .context("the registry does not say who gives out tokens")?;
        let is_safe = url.scheme() == "https" || is_this_machine(&self.base) && is_this_machine(&url);
        ensure!(is_safe, "{} would give out tokens in the clear", host(&url));
        for name in ["service", "scope"] {
            if let Some(value) = fields.get(name) {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let response = self.client.get(url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            bail!("{} gives no token, but {status}: {}", host(&url), reason(response).await);
        }
        let token: Token = serde_json::from_slice(&small(response).await?).context("understand the token")?;
        token.token.or(token.access_token).context("there is no token in the answer")
    }
}

/// The fields of `Bearer realm="…",service="…",scope="…"`; `None` where something else is wanted.
fn bearer(challenge: &str) -> Option<BTreeMap<String, String>> {
    let (scheme, mut rest) = challenge.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut fields = BTreeMap::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        fields.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = after;
    }
    Some(fields)
}

async fn small(mut response: Response) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        text.extend_from_slice(&chunk);
        ensure!(text.len() as u64 <= DOCUMENT, "the answer is too large");
    }
    Ok(text)
}

async fn reason(response: Response) -> String {
    let text = small(response).await.unwrap_or_default();
    String::from_utf8_lossy(&text).chars().filter(|character| !character.is_control()).take(REASON).collect()
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn is_this_machine(url: &Url) -> bool {
    let host = host(url).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_their_registry() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Reference::parse(text).map(|one| one.to_string()).as_deref(), expected, "{text}");
        };
        check("docker.io/debian", Some("docker.io/library/debian:latest"));
        check("docker.io/library/debian:12", Some("docker.io/library/debian:12"));
        check("ghcr.io/a/b/c:v1.2_x", Some("ghcr.io/a/b/c:v1.2_x"));
        check("localhost:5000/x", Some("localhost:5000/x:latest"));
        let digest = format!("ghcr.io/a/b@sha256:{}", "0a".repeat(32));
        check(&digest, Some(&digest));
        for wrong in [
            "debian",
            "library/debian",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a:",
            "ghcr.io/a//b",
            "ghcr.io/../a",
            "ghcr.io/a@sha256:1",
            "ghcr.io/a:b/c",
            "gh cr.io/a",
            "user@ghcr.io/a",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn only_this_machine_is_asked_in_the_clear() {
        let base = |text: &str| Reference::parse(text).unwrap().base().unwrap().to_string();
        assert_eq!(base("docker.io/debian"), concat!("https://", "registry-1.docker.io/v2/library/debian/"));
        assert_eq!(base("localhost:5000/a"), "http://localhost:5000/v2/a/");
        assert_eq!(base("127.0.0.1:5000/a"), "http://127.0.0.1:5000/v2/a/");
        assert_eq!(base("127.0.0.1.example.org/a"), "https://127.0.0.1.example.org/v2/a/");
    }

    #[test]
    fn challenges_are_taken_apart() {
        let fields =
            bearer(r#"Bearer realm="https://a.example/t",service="a, b",scope="repository:x:pull""#).unwrap();
        assert_eq!(fields["realm"], "https://a.example/t");
        assert_eq!(fields["service"], "a, b");
        assert_eq!(fields["scope"], "repository:x:pull");
        assert_eq!(bearer("Basic realm=\"x\""), None);
    }
}
