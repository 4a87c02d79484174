//! `[blobs]`: where attachments and artifacts are, if not in the data directory.

use super::{ConfigError, Environment, Secret};
use lamplight_domain::KnownSecret;
use lamplight_engine::{BucketAddress, BucketSettings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Without a `url` they are files in the data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blobs {
    /// `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or the address of a bucket at Amazon, Cloudflare R2 or Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the store is, such as `https://minio.example.org`. Default: where its vendor has it, or what the vendor's variable says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Of S3. Default: `AWS_REGION`, else `us-east-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Certificates (PEM) that the store's has to come from. Default: those that this machine trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether an endpoint on another machine may be spoken to unencrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
    /// What the vendors' usual variables say.
    #[serde(skip)]
    variables: Vec<(String, Secret)>,
}

/// What lets somebody into a bucket, and where it is, is in variables whose names begin so.
const VENDORS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// One with one of these in its name holds a secret,
const SECRETS: [&str; 7] =
    ["SECRET", "TOKEN", "ACCESS_KEY", "ACCOUNT_KEY", "STORAGE_KEY", "CUSTOMER_KEY", "SAS"];
/// unless it ends so: then it says which it is, or where.
const NAMES: [&str; 4] = ["_ID", "_FILE", "_PATH", "_URI"];

impl Blobs {
    pub(super) fn complete(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        self.url.take_if(|url| url.is_empty());
        if self.url.is_none() && *self != Self::default() {
            let why = "[blobs] says how a bucket is reached, and not which; set blobs.url";
            return Err(ConfigError::Invalid(why.to_owned()));
        }
        let is_usual = |name: &str| VENDORS.iter().any(|vendor| name.starts_with(vendor));
        let usual = environment.iter().filter(|(name, value)| is_usual(name) && !value.is_empty());
        self.variables = usual.map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect();
        let Some(settings) = self.engine() else {
            self.variables.clear();
            return Ok(());
        };
        BucketAddress::new(settings).map(drop).map_err(|error| {
            ConfigError::Invalid(format!("blobs: {error}; say it like url = \"s3://bucket/prefix\""))
        })
    }

    /// What nobody is to read in a log.
    pub(super) fn known_secrets(&self) -> impl Iterator<Item = KnownSecret> {
        let is_secret = |name: &str| {
            SECRETS.iter().any(|word| name.contains(word)) && !NAMES.iter().any(|end| name.ends_with(end))
        };
        let secrets = self.variables.iter().filter(move |(name, _)| is_secret(name));
        secrets.map(|(name, value)| KnownSecret { name: name.clone(), value: value.reveal().to_owned() })
    }

    /// `None` is the data directory.
    pub fn engine(&self) -> Option<BucketSettings> {
        let variables = self.variables.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned()));
        Some(BucketSettings {
            url: self.url.clone()?,
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            authorities: self.ca_file.clone(),
            is_plain: self.allow_http,
            variables: variables.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn blobs(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let mut environment = Environment::from([("HOME".to_owned(), "/home/someone".to_owned())]);
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let file = toml::from_str(file).unwrap();
        Config::from_layers(file, &Flags::default(), &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn what_lets_in_comes_from_the_usual_variables_and_is_not_shown() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIDTEST"),
            ("AWS_SECRET_ACCESS_KEY", "very secret"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
            ("GOOGLE_API_KEY", "of a model"),
        ];
        let config = blobs("[blobs]\nurl = 's3://acme/lamplight'\n", &variables).unwrap();
        let settings = config.blobs.engine().unwrap();
        assert_eq!(settings.url, "s3://acme/lamplight");
        assert!(settings.variables.contains(&("AWS_SECRET_ACCESS_KEY".to_owned(), "very secret".to_owned())));
        let known: Vec<String> = config.blobs.known_secrets().map(|secret| secret.name).collect();
        assert_eq!(known, ["AWS_SECRET_ACCESS_KEY"]);
        let shown = format!("{config:?}{}{settings:?}", config.to_toml());
        assert!(!shown.contains("very secret") && shown.contains("s3://acme/lamplight"), "{shown}");
        // Without a bucket they are other programs'.
        assert_eq!(blobs("", &variables).unwrap().blobs, Blobs::default());
    }

    #[test]
    fn half_of_it_and_what_is_unencrypted_is_refused() {
        assert!(blobs("[blobs]\nregion = 'auto'\n", &[]).unwrap_err().contains("set blobs.url"));
        let plain = "[blobs]\nurl = 's3://acme'\nendpoint = 'http://10.0.0.9:9000'\n";
        assert!(blobs(plain, &[]).unwrap_err().contains("blobs.allow_http"));
        assert!(blobs(&format!("{plain}allow_http = true\n"), &[]).is_ok());
        assert!(
            blobs("[blobs]\nurl = '/var/blobs'\n", &[]).unwrap_err().contains("is no address of a bucket")
        );
    }
}
