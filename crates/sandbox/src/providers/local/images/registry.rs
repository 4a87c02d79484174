//! An image of a registry, fetched into a folder as an OCI layout. Asked as anybody may ask, or as whoever wants it.
//!
//! Source: the OCI distribution specification, "Pulling manifests", "Pulling blobs"; the token protocol of Docker's registry
//! (distribution.github.io, "Token Authentication Specification").

use super::ImageProgress;
use super::compression::Hashing;
use super::oci::{DOCUMENT, Descriptor, Manifest, blob_path};
use super::reference::{ImageReference, host, is_this_machine};
use anyhow::{Context, Result, bail, ensure};
use lamplight_domain::ImageDigest;
use reqwest::header::{ACCEPT, WWW_AUTHENTICATE};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(15);
/// Longest wait for the next byte.
const SILENCE: Duration = Duration::from_secs(60);
/// Indexes in indexes.
const DEPTH: usize = 4;
/// One after the other, of one question.
const REDIRECTS: usize = 5;
/// What is said of a refusal at most; characters.
const REASON: usize = 300;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Who somebody is for a registry. It is shown while one image is asked for, and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryLogin {
    pub name: String,
    pub password: String,
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistryLogin(not shown)")
    }
}

/// An image that is there, and of which only the manifests are here.
pub(super) struct Found {
    registry: Registry,
    /// Of the manifest for this machine, in 64 digits.
    pub(super) digest: ImageDigest,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Fetches the manifests of an image into an empty folder, as whoever asks, or as anybody may.
pub(super) async fn find(
    reference: &ImageReference,
    login: Option<&RegistryLogin>,
    to: &Path,
) -> Result<Found> {
    fs::create_dir_all(to.join("blobs/sha256")).context("make a folder for what is fetched")?;
    fs::write(to.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let client = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE);
    let registry = Registry {
        client: client.redirect(Policy::custom(follow)).build()?,
        base: reference.base()?,
        login: login.cloned(),
        shown: None,
    };
    registry.find(&reference.version, to).await
}

impl Found {
    /// Of what has to be fetched, packed as it is.
    pub(super) fn bytes(&self) -> u64 {
        self.layers.iter().fold(self.config.size, |sum, layer| sum.saturating_add(layer.size))
    }

    /// Fetches configuration and layers beside the manifests. Whether they are what their digests say is seen by whoever unpacks them.
    pub(super) async fn fetch(mut self, to: &Path, tell: &dyn Fn(ImageProgress)) -> Result<()> {
        let count = self.layers.len();
        for (number, blob) in self.layers.iter().chain([&self.config]).enumerate() {
            if number < count {
                tell(ImageProgress::Fetching { layer: number + 1, of: count, bytes: blob.size });
            }
            self.registry.blob(blob, to).await.with_context(|| format!("fetch {}", blob.digest))?;
        }
        Ok(())
    }
}

/// Blobs are often kept elsewhere. What is encrypted stays so, and nobody from elsewhere sends us to what listens on this machine.
fn follow(attempt: Attempt<'_>) -> Action {
    let began_here = attempt.previous().first().is_some_and(is_this_machine);
    let leads_here = is_this_machine(attempt.url());
    let is_fine = match attempt.url().scheme() {
        "https" => began_here || !leads_here,
        "http" => began_here && leads_here,
        _ => false,
    };
    if !is_fine {
        return attempt.error("it leads to where it may not");
    }
    if attempt.previous().len() > REDIRECTS { attempt.error("it leads on and on") } else { attempt.follow() }
}

struct Registry {
    client: Client,
    /// Ends in the repository's name and a slash.
    base: Url,
    login: Option<RegistryLogin>,
    /// As the registry wants it, once it has said so.
    shown: Option<Shown>,
}

/// What every question is asked with.
enum Shown {
    /// From whoever the registry said gives them out.
    Token(String),
    Login(RegistryLogin),
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// From the one that was asked for to the one for this machine. The first is what the layout names: all others are named by it.
    async fn find(mut self, version: &str, to: &Path) -> Result<Found> {
        let mut wanted = version.to_owned();
        for depth in 0..DEPTH {
            let response = self.get(&format!("manifests/{wanted}"), Some(MANIFESTS)).await?;
            let text = small(response).await.with_context(|| format!("fetch the manifest {wanted}"))?;
            let (digits, size) = Hashing::new(&text[..]).finish()?;
            let digest = format!("sha256:{digits}");
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
                Manifest::Image { config, layers } => {
                    return Ok(Found { digest: digits.parse()?, config, layers, registry: self });
                }
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

    /// Asks, and asks again with what is wanted to be shown.
    async fn get(&mut self, path: &str, accept: Option<&str>) -> Result<Response> {
        let url = self.base.join(path).context("make an address")?;
        for _ in 0..2 {
            let mut request = self.client.get(url.clone());
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            request = match &self.shown {
                Some(Shown::Token(token)) => request.bearer_auth(token),
                Some(Shown::Login(login)) => request.basic_auth(&login.name, Some(&login.password)),
                None => request,
            };
            let response = request.send().await.with_context(|| format!("ask {}", host(&url)))?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                StatusCode::UNAUTHORIZED if self.shown.is_none() => {
                    let challenge = response.headers().get(WWW_AUTHENTICATE);
                    let challenge = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default();
                    self.shown = Some(self.wanted(challenge).await?);
                }
                status => bail!("{} answers {status}: {}", host(&url), reason(response).await),
            }
        }
        bail!("{} wants something else than what it asked for", host(&url))
    }

    /// What a registry asks to be shown: a token, or who is asking.
    async fn wanted(&self, challenge: &str) -> Result<Shown> {
        match (bearer(challenge), &self.login) {
            (Some(fields), _) => self.ask_for_token(&fields).await.map(Shown::Token),
            (None, Some(login)) if is_basic(challenge) => Ok(Shown::Login(login.clone())),
            (None, _) => bail!(
                "{} gives this image only to those whom it knows, and none is known here",
                host(&self.base)
            ),
        }
    }

    async fn ask_for_token(&self, fields: &BTreeMap<String, String>) -> Result<String> {
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
        let mut request = self.client.get(url.clone());
        if let Some(login) = &self.login {
            request = request.basic_auth(&login.name, Some(&login.password));
        }
        let response = request.send().await?;
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

fn is_basic(challenge: &str) -> bool {
    challenge.split(' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_taken_apart() {
        let fields =
            bearer(r#"Bearer realm="https://a.example/t",service="a, b",scope="repository:x:pull""#).unwrap();
        assert_eq!(fields["realm"], "https://a.example/t");
        assert_eq!(fields["service"], "a, b");
        assert_eq!(fields["scope"], "repository:x:pull");
        let basic = "Basic realm=\"x\"";
        assert_eq!((bearer(basic), is_basic(basic), is_basic("Bearer")), (None, true, false));
    }
}
