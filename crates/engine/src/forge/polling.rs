//! Looks what happened, where GitHub cannot send it: a laptop has no public address, and what was sent while the server was down is gone.

use crate::engine::closed;
use crate::{CommandError, Engine};
use lamplight_integrations::github::{Happening, Tag, Watch};
use lamplight_integrations::{GitHub, GitHubError, Repository};
use lamplight_store::{ForgeChange, Mark};
use std::collections::HashMap;
use std::time::Duration;

/// The longest pause after looks that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

pub(super) async fn run(engine: Engine) {
    let mut closing = engine.shared.closing();
    let (Some(forge), Some(github)) = (&engine.shared.forge, &engine.shared.github) else { return };
    let Some(period) = forge.config.poll else { return };
    let names = &forge.config.repositories;
    let repositories: Vec<_> = names.iter().filter_map(|name| github.repository(name)).collect();
    let mut tags = HashMap::new();
    let mut pause = period;
    loop {
        let looked = tokio::select! {
            // One server looks for all.
            looked = async {
                !engine.shared.servers.is_first() || look_at_all(&engine, github, &repositories, &mut tags).await
            } => looked,
            () = closed(&mut closing) => return,
        };
        pause = if looked { period } else { LONGEST_PAUSE.min(pause * 2) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = closed(&mut closing) => return,
        }
    }
}

/// Whether all went well.
async fn look_at_all(
    engine: &Engine,
    github: &GitHub,
    repositories: &[Repository],
    tags: &mut HashMap<String, Tag>,
) -> bool {
    let mut well = true;
    for repository in repositories {
        for watch in Watch::ALL {
            let looked = look(engine, github, repository, watch, tags).await;
            if let Err(why) = &looked {
                tracing::warn!(repository = %repository, list = watch.name(), why, "GitHub could not be looked at");
            }
            well &= looked.is_ok();
        }
    }
    well
}

async fn look(
    engine: &Engine,
    github: &GitHub,
    repository: &Repository,
    watch: Watch,
    tags: &mut HashMap<String, Tag>,
) -> Result<(), String> {
    let forge = engine.shared.forge.as_ref().ok_or("it is not configured")?;
    let store = &engine.shared.store;
    let name = format!("{}/{}/{}", repository.host, repository, watch.name()).to_lowercase();
    let mark = store.mark(&name).await.map_err(|error| error.to_string())?;
    let seen = github.look(repository, watch, mark.as_deref(), tags.get(&name)).await;
    let Some(seen) = seen.map_err(|error: GitHubError| error.to_string())? else { return Ok(()) };
    match seen.tag {
        Some(tag) => drop(tags.insert(name.clone(), tag)),
        None => drop(tags.remove(&name)),
    }
    for happening in seen.occurrences.iter().filter_map(|(_, occurrence)| Happening::of(occurrence)) {
        engine.shared.happened(&happening).await.map_err(|error| error.to_string())?;
    }
    let deliveries: Vec<_> = seen
        .occurrences
        .iter()
        .filter_map(|(id, occurrence)| forge.delivery(format!("{repository}/{id}"), occurrence))
        .collect();
    if deliveries.is_empty() && mark.as_ref() == Some(&seen.mark) {
        return Ok(());
    }
    let change = ForgeChange::Deliver { deliveries, mark: Some(Mark { name, at: seen.mark }) };
    let new = store.forge(change).await.map_err(|error| CommandError::from(error).to_string())?;
    if new > 0 {
        forge.news.notify_one();
    }
    Ok(())
}
