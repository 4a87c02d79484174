//! The images of this installation, as sessions ask for them.

use crate::config::Config;
use crate::error::CommandError;
use anyhow::Context;
use lamplight_domain::{ImageChoice, ImageDigest, SessionImage};
use lamplight_sandbox::providers::local::Images;

/// What the image that is asked for, or configured, is now, for a session that will keep to it whatever becomes of the name.
pub(crate) async fn chosen(
    config: &Config,
    asked: Option<&ImageChoice>,
) -> Result<Option<SessionImage>, CommandError> {
    let ImageChoice::Named(name) = asked.unwrap_or(&config.image).clone() else { return Ok(None) };
    let images = Images::of(&config.data_dir);
    let look = move || {
        let found = images.find(&name).with_context(|| format!("look for image {name}"))?;
        Ok::<_, anyhow::Error>(match found {
            Some(image) => Ok(SessionImage { name, digest: image.digest }),
            None => Err((name, images.list().context("list the images")?)),
        })
    };
    let found = tokio::task::spawn_blocking(look).await.unwrap_or_else(|panic| Err(panic.into()));
    match found.map_err(CommandError::Failed)? {
        Ok(image) => Ok(Some(image)),
        Err((name, known)) => {
            let known: Vec<&str> = known.iter().map(|image| image.name.as_str()).collect();
            let known = if known.is_empty() { "no image at all".to_owned() } else { known.join(", ") };
            Err(CommandError::invalid(
                "image_unknown",
                format!("there is no image {:?}; there is {known}", name.as_str()),
                format!("lamplight image add {name} SOURCE, or use host"),
            ))
        }
    }
}

/// A fork's files are on top of its origin's image, so that it can have no other.
pub(crate) fn kept(
    origin: Option<&SessionImage>,
    asked: Option<&ImageChoice>,
) -> Result<Option<SessionImage>, CommandError> {
    let same = match (asked, origin) {
        (None, _) | (Some(ImageChoice::Host), None) => true,
        (Some(ImageChoice::Named(name)), Some(image)) => *name == image.name,
        (Some(ImageChoice::Host), Some(_)) | (Some(ImageChoice::Named(_)), None) => false,
    };
    if same {
        return Ok(origin.cloned());
    }
    Err(CommandError::invalid(
        "image_of_a_fork",
        "a fork goes on with its origin's files, and these are on top of what they began with",
        "leave the image out, or start a session that is no fork",
    ))
}

/// Why a program did not start, where the session's image explains it.
pub(crate) fn explain(config: &Config, image: Option<&SessionImage>, detail: String) -> String {
    let lacks = |digest: &ImageDigest| Images::of(&config.data_dir).lacks_c_library(digest).unwrap_or(false);
    match image {
        Some(SessionImage { name, digest }) if lacks(digest) => {
            format!("{detail}; the image {name} has no GNU C library (glibc), which agents need")
        }
        Some(_) | None => detail,
    }
}
