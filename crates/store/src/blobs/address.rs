//! Where a bucket is, and how it is spoken to.

use super::bucket::Bucket;
use super::http::Connector;
use crate::tls;
use anyhow::{Context as _, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// A request that came to no answer, or to one that says "later", is made again so often, after pauses that grow up to the longest, and not
/// at all any more when so long has gone by.
const RETRIES: usize = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const RETRIED_FOR: Duration = Duration::from_secs(15);

/// What is said of a bucket.
#[derive(Clone, Default)]
pub struct BucketSettings {
    /// `s3://bucket/prefix`, `gs://…`, `az://container/…`, or the address of a bucket at Amazon, Cloudflare R2 or Azure.
    pub url: String,
    /// Where the store is, if not where its vendor has it.
    pub endpoint: Option<String>,
    /// Of S3.
    pub region: Option<String>,
    /// Certificates (PEM) that the store's has to come from; `None` are those that this machine trusts.
    pub authorities: Option<PathBuf>,
    /// Whether what is said to another machine may go unencrypted.
    pub is_plain: bool,
    /// What the usual variables of the vendor say, by their names: what lets this server in, above all.
    pub variables: Vec<(String, String)>,
}

impl fmt::Debug for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bucket {}", self.url)
    }
}

/// Why something is no bucket.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct BadBucket(String);

/// A bucket that could be one. It does not print what lets this server in.
#[derive(Debug, Clone)]
pub struct BucketAddress {
    vendor: Vendor,
    prefix: Path,
    settings: BucketSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vendor {
    /// Whatever speaks it: Amazon, R2, MinIO, SeaweedFS, Ceph.
    S3,
    Google,
    Azure,
}

impl Vendor {
    /// The names under which an endpoint may be said, in lower case; the first counts most.
    fn endpoints(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["aws_endpoint_url_s3", "aws_endpoint_url", "aws_endpoint"],
            Self::Google => &["google_base_url"],
            Self::Azure => &["azure_storage_endpoint", "azure_endpoint"],
        }
    }
}

impl BucketAddress {
    /// Nothing is asked of the store.
    pub fn new(settings: BucketSettings) -> Result<Self, BadBucket> {
        let wrong = || BadBucket(format!("{:?} is no address of a bucket", settings.url));
        let url: Url = settings.url.parse().map_err(|_| wrong())?;
        if url.password().is_some() || url.query().is_some() {
            return Err(BadBucket("it has a secret in it, which belongs in a variable".into()));
        }
        let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|_| wrong())?;
        let vendor = match scheme {
            ObjectStoreScheme::AmazonS3 => Vendor::S3,
            ObjectStoreScheme::GoogleCloudStorage => Vendor::Google,
            ObjectStoreScheme::MicrosoftAzure => Vendor::Azure,
            // Files need no bucket, and memory keeps nothing.
            _ => return Err(wrong()),
        };
        let address = Self { vendor, prefix, settings };
        match address.endpoint() {
            Some(endpoint) if !address.may_be_asked(endpoint) => Err(BadBucket(format!(
                "what is kept would go to {endpoint} unencrypted; say https://, or blobs.allow_http = true where nobody else is on the network"
            ))),
            Some(_) | None => Ok(address),
        }
    }

    /// Nothing is asked of the store yet, but a file of certificates is read.
    pub fn open(&self) -> Result<Bucket> {
        let roots = tls::roots(self.settings.authorities.as_deref())?;
        let is_plain = self.endpoint().is_some_and(|endpoint| endpoint.starts_with("http://"));
        if roots.is_empty() && !is_plain {
            anyhow::bail!(
                "there are no certificates to check the object store's with; name a file of them in blobs.ca_file"
            );
        }
        let connector = Connector::new(tls::client(roots)?).context("make a client of the object store")?;
        let objects =
            self.objects(connector).with_context(|| format!("use the bucket {}", self.settings.url))?;
        Ok(Bucket::new(objects, self.prefix.clone(), &self.settings.url))
    }

    fn objects(&self, connector: Connector) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        let url = &self.settings.url;
        Ok(match self.vendor {
            Vendor::S3 => {
                let s3 = self.said().fold(AmazonS3Builder::new(), |s3, (name, value)| match name.parse() {
                    Ok(key) => s3.with_config(key, value),
                    Err(_) => s3,
                });
                Arc::new(s3.with_url(url).with_retry(retry()).with_http_connector(connector).build()?)
            }
            Vendor::Google => {
                let google = self.said().fold(GoogleCloudStorageBuilder::new(), |google, (name, value)| {
                    match name.parse() {
                        Ok(key) => google.with_config(key, value),
                        Err(_) => google,
                    }
                });
                Arc::new(google.with_url(url).with_retry(retry()).with_http_connector(connector).build()?)
            }
            Vendor::Azure => {
                let azure = self.said().fold(MicrosoftAzureBuilder::new(), |azure, (name, value)| match name
                    .parse()
                {
                    Ok(key) => azure.with_config(key, value),
                    Err(_) => azure,
                });
                Arc::new(azure.with_url(url).with_retry(retry()).with_http_connector(connector).build()?)
            }
        })
    }

    /// Everything that is said under a name of the vendor's; what the configuration says comes last and counts. Names that mean nothing here
    /// are other programs'.
    fn said(&self) -> impl Iterator<Item = (String, &str)> {
        let BucketSettings { endpoint, region, variables, .. } = &self.settings;
        let variables = variables.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()));
        let endpoint =
            endpoint.iter().map(|endpoint| (self.vendor.endpoints()[0].to_owned(), endpoint.as_str()));
        let region = region.iter().map(|region| ("aws_region".to_owned(), region.as_str()));
        variables.chain(endpoint).chain(region)
    }

    /// Where the store is, if that is said anywhere.
    fn endpoint(&self) -> Option<&str> {
        let named = |wanted: &str| self.said().filter(|(name, _)| name == wanted).last();
        self.vendor.endpoints().iter().find_map(|name| named(name)).map(|(_, endpoint)| endpoint)
    }

    /// Encrypted, on this machine, or where nobody else is on the network.
    fn may_be_asked(&self, endpoint: &str) -> bool {
        let Ok(url) = endpoint.parse::<Url>() else { return false };
        match url.scheme() {
            "https" => true,
            "http" => self.settings.is_plain || url.host_str().is_some_and(is_here),
            _ => false,
        }
    }
}

fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn retry() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, ..Default::default() };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRIED_FOR }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(
        url: &str,
        endpoint: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<BucketAddress, String> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = BucketSettings {
            url: url.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            variables,
            ..BucketSettings::default()
        };
        BucketAddress::new(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bucket_is_known_by_its_address() {
        let key = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_PROFILE", "ours")];
        let azure = [("AZURE_STORAGE_ACCOUNT_NAME", "acme"), ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")];
        for (url, vendor, prefix, variables) in [
            ("s3://acme/lamplight/one", Vendor::S3, "lamplight/one", &key[..]),
            ("https://0123.r2.cloudflarestorage.com/acme/lamplight", Vendor::S3, "lamplight", &key),
            ("gs://acme", Vendor::Google, "", &[]),
            ("az://container/lamplight", Vendor::Azure, "lamplight", &azure),
        ] {
            let address = address(url, None, variables).unwrap();
            assert_eq!((address.vendor, address.prefix.as_ref()), (vendor, prefix), "{url}");
            assert_eq!(address.open().unwrap().to_string(), url);
            let printed = format!("{address:?}");
            assert!(!printed.contains("c2VjcmV0") && !printed.contains("SECRET"), "{printed}");
        }
    }

    #[test]
    fn what_is_none_or_would_give_something_away_is_refused() {
        for url in ["acme", "file:///var/blobs", "memory:///", "https://example.org/bucket", "postgres://a/b"]
        {
            assert!(address(url, None, &[]).unwrap_err().contains("is no address of a bucket"), "{url}");
        }
        for url in ["s3://key:secret@acme/x", "https://acme.blob.core.windows.net/c?sig=secret"] {
            let why = address(url, None, &[]).unwrap_err();
            assert!(why.contains("belongs in a variable") && !why.contains("sig="), "{why}");
        }
        let plain = "http://10.0.0.9:9000";
        assert!(address("s3://acme", Some(plain), &[]).unwrap_err().contains("unencrypted"));
        assert!(
            address("s3://acme", None, &[("AWS_ENDPOINT_URL", plain)]).unwrap_err().contains("unencrypted")
        );
        for endpoint in
            ["https://10.0.0.9:9000", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:1"]
        {
            let address = address("s3://acme", Some(endpoint), &[("AWS_ENDPOINT_URL", plain)]);
            assert_eq!(address.unwrap().endpoint(), Some(endpoint));
        }
    }
}
