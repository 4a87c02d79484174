//! What a session's root is built on.

use super::ahead::Ahead;
use super::base;
use super::disk::{Sandboxes, SessionDir};
use super::identity::Identity;
use super::image_base::{self, ImageBase};
use super::images::Images;
use super::overlay::Users;
use super::request::LaunchRequest;
use super::root_fs::{SystemTree, system_trees};
use super::stack::{self, Stack};
use super::volume::Mounted;
use anyhow::{Result, bail};
use lamplight_domain::ImageDigest;
use std::path::PathBuf;

pub(super) struct Ground {
    pub(super) base: Base,
    pub(super) stack: Stack,
    /// Where the session has users of its own.
    pub(super) users: Option<Users>,
    /// What has to be mounted for it, as long as it is.
    pub(super) volumes: Option<Mounted>,
}

/// What a session's files begin with.
pub(super) enum Base {
    /// This machine: a copy of its configuration (see `base`), and its trees.
    Machine(PathBuf),
    Image(ImageBase),
}

impl Ground {
    pub(super) fn find(
        request: &LaunchRequest,
        sandboxes: &Sandboxes,
        session: &SessionDir,
        identity: Identity,
        ahead: &Ahead,
        volumes: Option<Mounted>,
    ) -> Result<Self> {
        let has_users = identity.ids().is_some();
        let base = Base::find(request.image.as_ref(), sandboxes, session, has_users, ahead)?;
        let stack = Stack::of(sandboxes, session)?;
        let users = identity.ids().map(|ids| Users::of(ids, &stack)).transpose()?;
        Ok(Self { base, stack, users, volumes })
    }
}

impl Base {
    /// Finds, or makes. It never changes in a session, as what the session wrote is on top of it.
    fn find(
        wanted: Option<&ImageDigest>,
        sandboxes: &Sandboxes,
        session: &SessionDir,
        has_users: bool,
        ahead: &Ahead,
    ) -> Result<Self> {
        let before: Option<ImageDigest> = stack::read(&session.image_file())?;
        let is_new = before.is_none() && !session.files().exists() && !session.stack_file().exists();
        if before.as_ref() != wanted && !is_new {
            bail!("the session's files are on top of something else than what is asked for");
        }
        match wanted {
            None => Ok(Self::Machine(base::current(&sandboxes.bases(), ahead.mark()?, has_users)?)),
            Some(digest) => {
                let image = Images::beside(sandboxes.clone()).use_in(session, digest)?;
                Ok(Self::Image(image_base::of(&image, has_users)?))
            }
        }
    }

    /// The machine's trees that are shown.
    pub(super) fn system_trees(&self) -> Vec<SystemTree> {
        match self {
            Self::Machine(_) => system_trees(),
            Self::Image(_) => Vec::new(),
        }
    }
}
