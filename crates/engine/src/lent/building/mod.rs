//! Building templates: each step that makes files has a sandbox of its own on top of what those before it have made, and what it leaves
//! is kept as a layer by the content of all of these steps. A recipe that begins as one of before begins with its layers.
//!
//! ```text
//! known layers ──restored──▶ for each other one: sandbox ──step──▶ ended ──▶ layer      ──▶ start, ready? ──▶ ready
//! ```

mod base;
mod recipe;
mod steps;
mod uploads;

pub use base::BaseImage;
pub use recipe::{Base, MAX_STEPS, Recipe, Step, StepKind};
pub use uploads::{LONGEST_UPLOAD, LentUploads, NotUploaded, is_hash as is_upload_hash};
pub(super) use uploads::{Uploading, sweep};

use super::facts::sized;
use super::journal::{Journal, JournalLevel, JournalLine};
use super::keeping::{failed, start};
use super::starting::Place;
use super::template::{Begins, DEFAULT_TAG, FailedStep, LentTemplate, TemplateName, TemplateState};
use super::{Entry, LentSandbox, lock};
use crate::engine::{Engine, Shared, closed};
use crate::error::CommandError;
use crate::{clock, ids};
use anyhow::{Context as _, anyhow};
use lamplight_domain::agent::ExitStatus;
use lamplight_domain::{Generation, Person, SandboxLimits, SessionId};
use lamplight_sandbox::checkpoint::Checkpoint;
use lamplight_sandbox::handle::Handle;
use lamplight_sandbox::link::Link;
use lamplight_sandbox::provider::Files;
use recipe::{Layer, LayerKind, Plan};
use std::collections::hash_map::Entry as MapEntry;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// For one step.
const STEP: Duration = Duration::from_secs(60 * 60);

/// Why it was not built.
type Failure = (FailedStep, String);

impl Engine {
    /// A template without files yet, for a recipe; it has its tags when it is ready. `size` is of the sandboxes that it is built in too.
    pub async fn new_lent_template(
        &self,
        person: &str,
        called: Option<TemplateName>,
        mut tags: Vec<String>,
        size: SandboxLimits,
    ) -> Result<LentTemplate, CommandError> {
        if let Err(why) = size.check() {
            return Err(CommandError::invalid("size_impossible", why, "Ask for more, or for nothing."));
        }
        let (name, tag) = called.map_or((None, None), |called| (Some(called.name), called.tag));
        tags.extend(tag);
        if tags.is_empty() {
            tags.push(DEFAULT_TAG.to_owned());
        }
        let id = ids::session_id();
        let new = LentTemplate {
            family: id.clone(),
            id,
            person: person.to_owned(),
            name,
            tags,
            made_at: clock::now(),
            state: TemplateState::Waiting,
            of: None,
            begins: Begins::default(),
            image: None,
            checkpoint: None,
            layers: Vec::new(),
            size,
        };
        self.shared.new_template(new).await
    }

    /// One of a person by its own id, in whatever state.
    pub fn lent_build(&self, person: &str, id: &SessionId) -> Option<LentTemplate> {
        self.shared.lending.template(id).filter(|one| one.person == person)
    }

    /// What building it has said, behind so many lines, and no more than so many. Of now: it ends with the server.
    pub fn lent_build_journal(&self, id: &SessionId, after: usize, at_most: usize) -> Vec<JournalLine> {
        let journal = lock(&self.shared.lending.journals).get(id).cloned();
        journal.map_or_else(Vec::new, |journal| journal.read(after, at_most))
    }

    /// Begins to build one that waits for that. Its state says how it went.
    pub async fn build_lent_template(
        &self,
        person: Person,
        id: &SessionId,
        recipe: Recipe,
    ) -> Result<(), CommandError> {
        let template = self.lent_build(&person.name, id).ok_or(CommandError::NotFound)?;
        if template.state != TemplateState::Waiting {
            return Err(begun());
        }
        if !self.shared.provider.capabilities().checkpoints {
            return Err(CommandError::invalid(
                "no_templates",
                format!("sandboxes of {} cannot be templates", self.shared.provider.name()),
                "Use a provider that keeps files in layers; lamplight doctor says what this machine lacks.",
            ));
        }
        if recipe.steps.len() > MAX_STEPS {
            return Err(CommandError::invalid(
                "recipe_too_long",
                format!("a template has at most {MAX_STEPS} steps"),
                "Put some of them together.",
            ));
        }
        let journal = Arc::<Journal>::default();
        // Of two who start it at once, one does: a client asks again where it has heard nothing.
        match lock(&self.shared.lending.journals).entry(id.clone()) {
            MapEntry::Occupied(_) => return Err(begun()),
            MapEntry::Vacant(place) => {
                place.insert(Arc::clone(&journal));
            }
        }
        let shared = Arc::clone(&self.shared);
        // Whoever asked may leave: what is written down as being built is built.
        let started = self.shared.tasks.spawn(begin(shared, template, person, recipe, journal));
        started.await.unwrap_or_else(|panic| Err(CommandError::Failed(panic.into())))
    }
}

async fn begin(
    shared: Arc<Shared>,
    template: LentTemplate,
    person: Person,
    recipe: Recipe,
    journal: Arc<Journal>,
) -> Result<(), CommandError> {
    let id = template.id.clone();
    let template =
        match shared.keep_template(LentTemplate { state: TemplateState::Building, ..template }).await {
            Ok(template) => template,
            Err(error) => {
                lock(&shared.lending.journals).remove(&id);
                return Err(error);
            }
        };
    shared.tasks.clone().spawn(async move {
        let mut closing = shared.closing();
        let build = Build { shared: &shared, template, person, journal: &journal, number: 0 };
        tokio::select! {
            () = build.run(recipe) => {}
            // The next start gives it up.
            () = closed(&mut closing) => {}
        }
    });
    Ok(())
}

fn begun() -> CommandError {
    CommandError::invalid("template_begun", "the build has been started already", "Make a new build.")
}

struct Build<'a> {
    shared: &'a Arc<Shared>,
    template: LentTemplate,
    person: Person,
    journal: &'a Arc<Journal>,
    /// Of the last generation, or layer.
    number: u32,
}

impl Build<'_> {
    async fn run(mut self, recipe: Recipe) {
        let id = self.template.id.clone();
        let limits = sized(&self.template.size, &self.shared.config);
        let built = match self.shared.queue.lend(&id, &self.person.name, &limits) {
            true => {
                let built = self.build(&recipe).await;
                self.shared.queue.give_back(&id);
                built
            }
            false => Err((
                FailedStep::Base,
                "there are as many sandboxes as there may be; end one of them".to_owned(),
            )),
        };
        self.template.state = match built {
            Ok(()) => {
                self.journal.say("Build finished");
                TemplateState::Ready
            }
            Err((step, message)) => {
                self.journal.add(JournalLevel::Error, None, format!("Build failed: {message}"));
                TemplateState::Failed { message, step }
            }
        };
        if let Err(error) = self.shared.keep_template(self.template).await {
            tracing::error!(template = %id, %error, "how a template was built could not be written down");
        }
        self.shared.tidy_images().await;
    }

    async fn build(&mut self, recipe: &Recipe) -> Result<(), Failure> {
        let base = self.base(&recipe.from).await.map_err(|error| (FailedStep::Base, error))?;
        self.template.image = base.image.clone();
        let variables = self.shared.provider.environment(base.image.as_ref().map(|image| &image.digest));
        let home = |name: Option<&str>| self.shared.lent_user(name).map(|user| user.home);
        let plan = Plan::of(recipe, &base.key, base.begins.clone(), &variables, home)?;
        let layers = self.known_layers();
        let known = plan.known(|key| layers.iter().any(|(own, _)| own == key));
        for layer in &plan.layers[..known] {
            self.journal.add(JournalLevel::Info, Some(layer.step), format!("CACHED {}", steps::told(layer)));
        }
        let from = match known.checked_sub(1).map(|last| &plan.layers[last].key) {
            Some(key) => layers.into_iter().find(|(own, _)| own == key).map(|(_, checkpoint)| checkpoint),
            None => base.checkpoint,
        };
        let cached = known.checked_sub(1).map(|last| &plan.layers[last]);
        self.begin(from, cached).await.map_err(|error| (FailedStep::Base, said(error)))?;
        for layer in &plan.layers[known..] {
            let step = FailedStep::Step(layer.step);
            self.layer(layer).await.map_err(|failure| (step, failure))?;
        }
        self.template.begins = plan.begins;
        self.finish().await.map_err(|failure| (FailedStep::Finish, failure))
    }

    /// All that this person's templates have made.
    fn known_layers(&self) -> Vec<(String, String)> {
        let all = self.shared.lending.templates_of(&self.person.name);
        all.into_iter().flat_map(|template| template.layers).collect()
    }

    /// Gives it the files that it goes on from.
    async fn begin(&mut self, from: Option<String>, cached: Option<&Layer>) -> Result<(), CommandError> {
        let Some(from) = from else { return Ok(()) };
        let provider = &self.shared.provider;
        provider.restore(&Checkpoint::from_log(from), &self.template.id).await.map_err(failed)?;
        let kept = self.keep().await?;
        // So that it is there for others when the one that has made it is not any more.
        self.template.layers.extend(cached.map(|layer| (layer.key.clone(), kept)));
        Ok(())
    }

    /// Its files as they are now.
    async fn keep(&mut self) -> Result<String, CommandError> {
        self.number += 1;
        let handle = self.template.handle(self.shared);
        let kept = self.shared.provider.checkpoint(&handle, self.number).await.map_err(failed)?;
        self.template.checkpoint = Some(kept.as_str().to_owned());
        Ok(kept.as_str().to_owned())
    }

    /// A sandbox of the files as they are by now, for what is done in it.
    async fn within(
        &mut self,
        begins: Begins,
        what: impl AsyncFnOnce(&Entry, &Link, &Place) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.number += 1;
        let (shared, generation) = (self.shared, Generation(self.number));
        let mut facts =
            LentSandbox::of_template(&self.template, &self.person, begins, &shared.config, generation);
        let entry = Entry::new(self.template.id.clone(), facts.clone(), shared);
        let done = async {
            start(shared, &entry, &mut facts).await.map_err(|error| anyhow!(said(error)))?;
            let place = Place::of(shared, &facts.begins, &Default::default());
            let place = place.context("there is no such user in it")?;
            let link = entry.context.link(generation, &facts.handle).await;
            let link = link.map_err(|trouble| anyhow!("reach the sandbox: {trouble:?}"))?;
            what(&entry, &link, &place).await
        };
        let done = done.await;
        entry.context.unlink(generation).await;
        entry.context.close();
        if !facts.handle.is_empty() {
            let ended = shared.provider.destroy(&Handle::from_log(&facts.handle), Files::Keep).await;
            ended.context("end the sandbox of a step")?;
        }
        done
    }

    async fn layer(&mut self, layer: &Layer) -> Result<(), String> {
        let told = steps::told(layer);
        self.journal.add(JournalLevel::Info, Some(layer.step), told.clone());
        let journal = self.journal;
        let archive =
            match &layer.kind {
                LayerKind::Copy { hash, .. } => {
                    let place = uploads::place(&self.shared.config.data_dir, &self.person.name, hash);
                    let place = place.filter(|place| place.exists());
                    Some(place.ok_or_else(|| {
                        format!("failed to run command '{told}': its files were not uploaded")
                    })?)
                }
                LayerKind::Run { .. } | LayerKind::Folder(_) => None,
            };
        let root = self.shared.lent_user(Some("root"));
        let begins = Begins { start: None, ready: None, ..layer.begins.clone() };
        let begins = match layer.kind {
            // Its folder may be what this step makes.
            LayerKind::Folder(_) => Begins { folder: None, ..begins },
            LayerKind::Run { .. } | LayerKind::Copy { .. } => begins,
        };
        let done = self.within(begins, async |entry, link, place| {
            if let Some(archive) = &archive {
                steps::upload(link, archive, root.is_some()).await?;
            }
            let spec = steps::spec(layer, place, root);
            let status = timeout(STEP, steps::heard(entry, link, spec, journal, layer.step)).await;
            match status.context("it took longer than an hour")?? {
                ExitStatus::Code { code: 0 } => Ok(()),
                ExitStatus::Code { code } => Err(anyhow!("exit status {code}")),
                ExitStatus::Signal { signal } => Err(anyhow!("signal {signal}")),
            }
        });
        done.await.map_err(|error| format!("failed to run command '{told}': {error:#}"))?;
        let kept = self.keep().await.map_err(said)?;
        self.template.layers.push((layer.key.clone(), kept));
        Ok(())
    }

    /// What runs in each of its sandboxes is tried once, and what it leaves is kept.
    async fn finish(&mut self) -> Result<(), String> {
        let begins = self.template.begins.clone();
        if begins.start.is_none() && begins.ready.is_none() {
            return Ok(());
        }
        self.journal.say("Running start and ready command");
        self.within(begins, async |_, _, _| Ok(())).await.map_err(|error| format!("{error:#}"))?;
        self.keep().await.map(drop).map_err(said)
    }
}

fn said(error: CommandError) -> String {
    match error {
        CommandError::Failed(error) => format!("{error:#}"),
        CommandError::Invalid { message, what_to_do, .. } => format!("{message}. {what_to_do}"),
        other => other.to_string(),
    }
}
