//! What a session has offered as results.

use super::state::Session;
use crate::TurnNumber;
use crate::artifact::{Artifact, KeptArtifact, MAX_ARTIFACTS};
use std::sync::Arc;

impl Session {
    /// What the agent has offered as results, each name once; the newest last. Shared, because a state is copied with every decision.
    pub fn artifacts(&self) -> &Arc<Vec<KeptArtifact>> {
        &self.artifacts
    }

    pub(super) fn artifacts_kept(&mut self, turn: TurnNumber, new: &[Artifact]) {
        let kept = Arc::make_mut(&mut self.artifacts);
        kept.retain(|old| !new.iter().any(|artifact| artifact.name == old.artifact.name));
        kept.extend(new.iter().map(|artifact| KeptArtifact { turn, artifact: artifact.clone() }));
        kept.drain(..kept.len().saturating_sub(MAX_ARTIFACTS));
    }
}
