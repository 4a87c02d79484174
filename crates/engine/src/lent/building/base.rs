//! What a template is made on top of: what the configuration says, another template, an image of this installation, or one of a
//! registry, where whoever runs this server lets programs name it.
//!
//! An image that was fetched stays for as long as a template begins with it. While one is fetched it is nobody's yet, so that nothing
//! is tidied away until it is written down whose it is.

use super::super::lock;
use super::super::template::{Begins, TemplateState};
use super::{Base, Build, said};
use crate::engine::{Shared, closed};
use crate::error::CommandError;
use crate::{disk, images};
use anyhow::{Context as _, anyhow};
use lamplight_domain::{ImageChoice, ImageDigest, ImageName, NotAnImageName, SessionImage};
use lamplight_sandbox::providers::local::{ImageProgress, ImageReference, Images, RegistryLogin};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// For fetching one image.
const FETCH: Duration = Duration::from_secs(60 * 60);

/// The largest image that is fetched, packed and unpacked, in bytes.
const LONGEST_IMAGE: u64 = 20 << 30;

/// All that were fetched for the templates of one person, unpacked, in bytes.
const OF_ONE: u64 = 3 * LONGEST_IMAGE;

/// An image as a recipe names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// As one of this installation would be called.
    name: Option<ImageName>,
    /// As one of a registry.
    reference: Option<ImageReference>,
    login: Option<RegistryLogin>,
}

impl BaseImage {
    /// Names of this installation's have no `:` and no `/`: `python:3` is `python-3`. `login` is who asks a registry.
    pub fn parse(said: &str, login: Option<RegistryLogin>) -> Result<Self, NotAnImageName> {
        let name = said.to_ascii_lowercase().replace([':', '/', '@'], "-").parse();
        match (name, ImageReference::of_docker(said)) {
            (Err(error), None) => Err(error),
            (name, reference) => Ok(Self { name: name.ok(), reference, login }),
        }
    }

    /// What a session would call it.
    fn called(&self, reference: &ImageReference) -> ImageName {
        let short = || reference.short_name().parse().ok();
        self.name.clone().or_else(short).unwrap_or_else(|| "fetched".parse().expect("it is a name"))
    }
}

/// What a template is made on top of.
pub(super) struct Begun {
    /// Names it by its content.
    pub(super) key: String,
    pub(super) image: Option<SessionImage>,
    pub(super) begins: Begins,
    pub(super) checkpoint: Option<String>,
}

impl Build<'_> {
    pub(super) async fn base(&mut self, from: &Base) -> Result<Begun, String> {
        let image = match from {
            Base::Template(id) => {
                let template =
                    self.shared.lending.template(id).filter(|one| one.state == TemplateState::Ready);
                let template = template.ok_or("the template that it is made from is gone")?;
                let (key, image) = (format!("template {id}"), template.image);
                return Ok(Begun { key, image, begins: template.begins, checkpoint: template.checkpoint });
            }
            Base::Configured => images::chosen(&self.shared.config, None).await.map_err(said)?,
            Base::Image(image) => Some(self.image(image).await?),
        };
        let key = image.as_ref().map_or_else(|| "host".to_owned(), |image| format!("image {}", image.digest));
        Ok(Begun { key, image, begins: Begins::default(), checkpoint: None })
    }

    /// One of this installation comes first: whoever runs it has said what that name means here.
    async fn image(&mut self, wanted: &BaseImage) -> Result<SessionImage, String> {
        let mut unknown = None;
        if let Some(name) = &wanted.name {
            let choice = ImageChoice::Named(name.clone());
            match images::chosen(&self.shared.config, Some(&choice)).await {
                Ok(Some(image)) => return Ok(image),
                Ok(None) => {}
                Err(error @ CommandError::Invalid { code: "image_unknown", .. }) => {
                    unknown = Some(said(error));
                }
                Err(error) => return Err(said(error)),
            }
        }
        let may_be_fetched =
            |image: &ImageReference| self.shared.config.registries.iter().any(|own| own.hold(image));
        match &wanted.reference {
            Some(reference) if may_be_fetched(reference) => self.fetch(reference, wanted).await,
            Some(reference) => Err(format!(
                "{}{reference} is of none of the registries whose images are fetched here (e2b.registries)",
                unknown.map(|unknown| format!("{unknown}. And ")).unwrap_or_default()
            )),
            None => Err(unknown.unwrap_or_else(|| "there is no such image".to_owned())),
        }
    }

    async fn fetch(
        &mut self,
        reference: &ImageReference,
        wanted: &BaseImage,
    ) -> Result<SessionImage, String> {
        let shared = Arc::clone(self.shared);
        if shared.config.sandbox.cloud.is_some() {
            return Err("sandboxes of a cloud begin with no image of this server's".to_owned());
        }
        let _fetching = shared.lending.fetching.read().await;
        self.journal.say(format!("Fetching {reference}"));
        let own = shared.lending.templates_of(&self.person.name).into_iter().filter_map(|one| one.image);
        let own: BTreeSet<ImageDigest> = own.map(|image| image.digest).collect();
        let (journal, mut closing) = (Arc::clone(self.journal), shared.closing());
        let (image, login, data_dir) =
            (reference.clone(), wanted.login.clone(), shared.config.data_dir.clone());
        // Unpacking blocks, and so does waiting for somebody who fetches the same.
        let fetch = move || {
            let images = Images::of(&data_dir);
            let at_most = room(&images, &data_dir, &own)?;
            let fetched =
                images.fetch(&image, login.as_ref(), at_most, |progress| journal.say(told(progress)));
            Handle::current().block_on(async {
                tokio::select! {
                    fetched = timeout(FETCH, fetched) => fetched.context("it took longer than an hour")?,
                    () = closed(&mut closing) => Err(anyhow!("the server ends")),
                }
            })
        };
        let fetched = tokio::task::spawn_blocking(fetch).await.unwrap_or_else(|panic| Err(panic.into()));
        let digest = fetched.map_err(|error| format!("fetch {reference}: {error:#}"))?;
        let image = SessionImage { name: wanted.called(reference), digest };
        self.template.image = Some(image.clone());
        shared.keep_template(self.template.clone()).await.map_err(said)?;
        Ok(image)
    }
}

/// How many bytes another image of a person may have, whose templates begin with these already.
fn room(images: &Images, data_dir: &Path, own: &BTreeSet<ImageDigest>) -> anyhow::Result<u64> {
    let fetched = images.all_fetched().context("look for what was fetched")?;
    let used: u64 = own.iter().filter_map(|digest| fetched.get(digest)).sum();
    // For a moment it is there twice, packed and unpacked.
    let of_disk = disk::room(data_dir) / 2;
    Ok(LONGEST_IMAGE.min(OF_ONE.saturating_sub(used)).min(of_disk))
}

fn told(progress: ImageProgress) -> String {
    match progress {
        ImageProgress::Fetching { layer, of, bytes } => {
            format!("Fetching layer {layer} of {of}, {} MB", bytes.div_ceil(1_000_000))
        }
        ImageProgress::Building { suite } => format!("Making a Debian ({suite})"),
        ImageProgress::Unpacking { layer, of } => format!("Unpacking layer {layer} of {of}"),
        ImageProgress::Reading => "Reading it once".to_owned(),
    }
}

impl Shared {
    /// Removes images that were fetched for templates which are gone. While one is fetched nothing is removed: whoever fetches it
    /// asks for this when it is over.
    pub(in super::super) async fn tidy_images(&self) {
        let images = Images::of(&self.config.data_dir);
        // Where nothing was, no thread is asked: every start comes by here.
        if !images.has_fetched() {
            return;
        }
        let Ok(_nobody_fetches) = self.lending.fetching.try_write() else { return };
        let wanted: BTreeSet<ImageDigest> = lock(&self.lending.templates)
            .values()
            .filter_map(|one| one.image.as_ref())
            .map(|image| image.digest.clone())
            .collect();
        let tidied = tokio::task::spawn_blocking(move || images.keep_fetched(&wanted)).await;
        if let Err(error) = tidied.unwrap_or_else(|panic| Err(panic.into())) {
            let error = format!("{error:#}");
            tracing::warn!(error, "images that nobody wants any more could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BaseImage;

    #[test]
    fn an_image_is_named_as_here_and_as_at_a_registry() {
        let parsed = |said: &str| {
            let image = BaseImage::parse(said, None).ok()?;
            let text = |text: Option<String>| text.unwrap_or_default();
            Some((
                text(image.name.map(|name| name.to_string())),
                text(image.reference.map(|one| one.to_string())),
            ))
        };
        let both = |name: &str, reference: &str| Some((name.to_owned(), reference.to_owned()));
        assert_eq!(parsed("python:3"), both("python-3", "docker.io/library/python:3"));
        assert_eq!(parsed("ghcr.io/a/b:1"), both("ghcr.io-a-b-1", "ghcr.io/a/b:1"));
        assert_eq!(parsed("Mine"), both("mine", ""));
        let digest = format!("ghcr.io/a/b@sha256:{}", "0a".repeat(32));
        assert_eq!(parsed(&digest), both("", &digest));
        assert_eq!(parsed("../x"), None);
        assert_eq!(parsed("a b"), None);
    }
}
