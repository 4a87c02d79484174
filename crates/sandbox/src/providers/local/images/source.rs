//! Where an image comes from, as people write it.

use super::reference::ImageReference;
use anyhow::{Result, bail};
use std::fmt;
use std::path::{Path, PathBuf};

/// What `lamplight image add` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// `debian`, `debian:trixie`: made on this machine.
    Debian {
        suite: String,
    },
    /// A directory, an archive, or one of these in the form of an OCI layout: what it is, it says itself.
    Path(PathBuf),
    Registry(ImageReference),
}

/// What Debian calls its newest release.
const NEWEST: &str = "stable";

impl Source {
    /// A path where there is something; else a registry's, which has to name the registry, so that nobody gets an image from one
    /// that they did not think of.
    pub(super) fn parse(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "debian" => return Ok(Self::Debian { suite: NEWEST.to_owned() }),
            Some(("debian", suite)) => {
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                if suite.is_empty() || suite.starts_with('-') || !suite.bytes().all(plain) {
                    bail!("{suite:?} is no release of Debian; they are called like trixie and stable");
                }
                return Ok(Self::Debian { suite: suite.to_owned() });
            }
            _ => {}
        }
        let path = Path::new(text);
        if path.exists() {
            return Ok(Self::Path(path.to_owned()));
        }
        if text.starts_with(['/', '.', '~']) {
            bail!("there is no {text}");
        }
        match ImageReference::parse(text) {
            Some(reference) => Ok(Self::Registry(reference)),
            None => bail!(
                "{text:?} is no directory and no file here, and names no registry; an image of one is written \
                 like docker.io/library/debian:12"
            ),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian { suite } => write!(f, "debian:{suite}"),
            Self::Path(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().to_str().unwrap();
        assert_eq!(Source::parse(path).unwrap(), Source::Path(path.into()));
        assert_eq!(Source::parse("debian").unwrap(), Source::Debian { suite: "stable".into() });
        assert_eq!(Source::parse("debian:trixie").unwrap(), Source::Debian { suite: "trixie".into() });
        let reference = Source::parse("docker.io/library/debian:12").unwrap();
        assert!(matches!(reference, Source::Registry(_)), "{reference:?}");
        for wrong in ["debian:--help", "debian:", "ubuntu", "library/debian", "./nothing", "/nothing/here"] {
            assert!(Source::parse(wrong).is_err(), "{wrong}");
        }
    }
}
