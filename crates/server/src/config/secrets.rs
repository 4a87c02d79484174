//! `[secrets]`: the key that stored keys are sealed with, and where it is.

use super::{ConfigError, Environment, Secret};
use lamplight_engine::SealingSource;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Holds the key itself; comes before the file and the program.
pub(super) const KEY_VARIABLE: &str = "LAMPLIGHT_SECRETS_KEY";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Made when the first key is stored. Default: beside the data directory, with `.key` behind its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// A program and its arguments that print the key, for example by asking a key management service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_command: Vec<String>,
    #[serde(skip)]
    key: Option<Secret>,
}

impl Secrets {
    pub(super) fn complete(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        if self.key_file.is_some() && !self.key_command.is_empty() {
            return Err(ConfigError::Invalid(
                "secrets.key_file and secrets.key_command say two things; leave one out".to_owned(),
            ));
        }
        self.key = environment.get(KEY_VARIABLE).filter(|text| !text.is_empty()).map(Secret::new);
        Ok(())
    }

    pub(super) fn source(&self, data_dir: &Path) -> SealingSource {
        match &self.key {
            Some(key) => SealingSource::Variable {
                name: KEY_VARIABLE.to_owned(),
                value: lamplight_engine::Secret::new(key.reveal()),
            },
            None if !self.key_command.is_empty() => SealingSource::Command(self.key_command.clone()),
            None => SealingSource::File(self.key_file.clone().unwrap_or_else(|| beside(data_dir))),
        }
    }
}

/// Whoever copies the data directory does not have the key with it.
fn beside(data_dir: &Path) -> PathBuf {
    let mut name: OsString = data_dir.file_name().unwrap_or(data_dir.as_os_str()).to_owned();
    name.push(".key");
    data_dir.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_never_in_the_data_directory() {
        for (data, key) in [("/home/ada/lamplight", "/home/ada/lamplight.key"), ("/data.d/", "/data.d.key")] {
            assert_eq!(beside(Path::new(data)), Path::new(key));
        }
    }
}
