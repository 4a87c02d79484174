//! Files that lent sandboxes begin with: those of a sandbox as they were at a moment, or what the steps of a recipe have made.
//!
//! ```text
//! a sandbox that runs ──snapshot──▶ ready          new ──build──▶ building ──▶ ready, or failed
//! ready ──lend, fork──▶ sandboxes of their own     any ──removed──▶ gone; sandboxes that began with it keep their files
//! ```
//! The files are a checkpoint of a sandbox that nobody is in, whose id is the template's. One that was being made when the server
//! ended is failed, and what there is of it removed.

use super::facts::nobody;
use super::{Lending, lock};
use crate::engine::{Engine, Shared};
use crate::error::CommandError;
use lamplight_domain::{Generation, SandboxLimits, SessionId, SessionImage, Timestamp};
use lamplight_sandbox::handle::{Handle, HandleContent};
use lamplight_store::LentChange;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tag of who names none.
pub const DEFAULT_TAG: &str = "default";

/// Of one person.
const MAX_TEMPLATES: usize = 200;

/// Of one template.
const MAX_TAGS: usize = 100;

/// The longest name and tag, in bytes.
const LONGEST_NAME: usize = 128;

/// As JSON, sealed, it is what the store keeps; fields that come later have defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LentTemplate {
    #[serde(skip, default = "nobody")]
    pub id: SessionId,
    /// All of one name have the same, and several may be kept.
    pub family: SessionId,
    /// The name of whom it is for.
    pub person: String,
    pub name: Option<String>,
    /// No other of its family has any of these.
    pub tags: Vec<String>,
    pub made_at: Timestamp,
    pub state: TemplateState,
    /// The sandbox that it is a snapshot of.
    pub of: Option<SessionId>,
    pub begins: Begins,
    pub(super) image: Option<SessionImage>,
    pub(super) checkpoint: Option<String>,
    /// What its steps have made: by what, and where it is kept.
    #[serde(default)]
    pub(super) layers: Vec<(String, String)>,
    /// Processors and memory of its sandboxes, where somebody has asked for them; never more than is configured.
    #[serde(default)]
    pub(super) size: SandboxLimits,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateState {
    /// For its recipe.
    Waiting,
    Building,
    Ready,
    Failed {
        message: String,
        step: FailedStep,
    },
}

/// Where building it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedStep {
    /// What it begins with.
    Base,
    /// Of its steps, counted from 1.
    Step(usize),
    /// What runs in each.
    Finish,
}

/// How a sandbox begins, beside its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begins {
    /// Of every process in it; what the sandbox is given comes on top.
    pub environment: BTreeMap<String, String>,
    /// Where processes start whose place nobody says.
    pub folder: Option<String>,
    /// As whom, where nobody says.
    pub user: Option<String>,
    /// Made first, by their absolute names, for who may be nobody but root.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// A shell command that runs for as long as it does.
    pub start: Option<String>,
    /// A shell command that succeeds when that one is ready.
    pub ready: Option<String>,
}

/// What is said of a template: a name or an id, and a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateName {
    pub name: String,
    pub tag: Option<String>,
}

impl TemplateName {
    /// `name`, `name:tag`, or either with somebody's name and a slash before it. `None` of what is no name.
    pub fn parse(said: &str) -> Option<Self> {
        let (name, tag) = match said.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (said, None),
        };
        let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
        let is_one = |text: &str| {
            let may = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(may)
        };
        let is_fine = is_one(name) && tag.is_none_or(is_one);
        is_fine.then(|| Self { name: name.to_owned(), tag: tag.map(str::to_owned) })
    }
}

impl LentTemplate {
    /// Whether it is meant, by its name or its family's id; ids are said in either case.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) || self.family.as_str().eq_ignore_ascii_case(name)
    }

    /// Nobody is in it, and nothing runs.
    pub(super) fn handle(&self, shared: &Shared) -> Handle {
        let provider = shared.provider.name().to_owned();
        Handle::new(HandleContent { provider, session: self.id.clone(), generation: Generation(1) })
    }
}

impl Lending {
    pub(super) fn template(&self, id: &SessionId) -> Option<LentTemplate> {
        lock(&self.templates).get(id).cloned()
    }

    pub(super) fn templates_of(&self, person: &str) -> Vec<LentTemplate> {
        self.templates(|one| one.person == person)
    }

    /// The newest first.
    fn templates(&self, are_meant: impl Fn(&LentTemplate) -> bool) -> Vec<LentTemplate> {
        let mut all: Vec<_> = lock(&self.templates).values().filter(|one| are_meant(one)).cloned().collect();
        all.sort_by(|a, b| (b.made_at, &b.id).cmp(&(a.made_at, &a.id)));
        all
    }
}

impl Engine {
    /// All of a person, the newest first.
    pub fn lent_templates(&self, person: &str) -> Vec<LentTemplate> {
        self.shared.lending.templates_of(person)
    }

    /// Those of everybody, also of who was removed, the newest first.
    pub fn all_lent_templates(&self) -> Vec<LentTemplate> {
        self.shared.lending.templates(|_| true)
    }

    /// Whose one is, by its own id.
    pub fn lent_template_owner(&self, id: &SessionId) -> Option<String> {
        self.shared.lending.template(id).map(|one| one.person)
    }

    /// The ready one of a person that has this tag, or the tag of who names none.
    pub fn lent_template(&self, person: &str, called: &TemplateName) -> Option<LentTemplate> {
        let tag = called.tag.as_deref().unwrap_or(DEFAULT_TAG);
        let is_it = |one: &LentTemplate| {
            one.is_called(&called.name)
                && one.state == TemplateState::Ready
                && one.tags.iter().any(|own| own == tag)
        };
        self.lent_templates(person).into_iter().find(is_it)
    }

    /// Removes those of a person that are meant: one by its tag, or all of the name. False where there is none.
    pub async fn remove_lent_templates(
        &self,
        person: &str,
        called: &TemplateName,
    ) -> Result<bool, CommandError> {
        let _turn = self.shared.lending.changing.lock().await;
        let is_meant = |one: &LentTemplate| {
            let has_tag = called.tag.as_ref().is_none_or(|tag| one.tags.contains(tag));
            one.is_called(&called.name) && has_tag
        };
        let all: Vec<_> = self.lent_templates(person).into_iter().filter(is_meant).collect();
        self.shared.remove_templates(&all).await
    }

    /// Removes one by its own id, whosever it is. False where there is none.
    pub async fn remove_lent_template(&self, id: &SessionId) -> Result<bool, CommandError> {
        let _turn = self.shared.lending.changing.lock().await;
        self.shared.remove_templates(self.shared.lending.template(id).as_slice()).await
    }

    /// Gives the one that is meant more tags; others of its family lose them.
    pub async fn tag_lent_template(
        &self,
        person: &str,
        called: &TemplateName,
        tags: Vec<String>,
    ) -> Result<Option<LentTemplate>, CommandError> {
        let _turn = self.shared.lending.changing.lock().await;
        let Some(mut one) = self.lent_template(person, called) else { return Ok(None) };
        one.tags.extend(tags);
        one.tags = few(one.tags)?;
        self.shared.keep_in_turn(one).await.map(Some)
    }

    /// Takes tags of a name away; what has none is kept, and has to be called by nobody. What is not ready has none yet. False where no
    /// such name is.
    pub async fn untag_lent_templates(
        &self,
        person: &str,
        name: &str,
        tags: &[String],
    ) -> Result<bool, CommandError> {
        let _turn = self.shared.lending.changing.lock().await;
        let all: Vec<_> = self.lent_templates(person).into_iter().filter(|one| one.is_called(name)).collect();
        for one in all.iter().filter(|one| one.state == TemplateState::Ready) {
            if one.tags.iter().any(|tag| tags.contains(tag)) {
                let kept = one.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect();
                self.shared.keep_in_turn(LentTemplate { tags: kept, ..one.clone() }).await?;
            }
        }
        Ok(!all.is_empty())
    }
}

impl Shared {
    /// A new one, of the family that its name has already. It has its tags when it is ready.
    pub(super) async fn new_template(&self, mut new: LentTemplate) -> Result<LentTemplate, CommandError> {
        new.tags = few(new.tags)?;
        let _turn = self.lending.changing.lock().await;
        let others = self.lending.templates_of(&new.person);
        if others.len() >= MAX_TEMPLATES {
            return Err(CommandError::invalid(
                "templates_full",
                format!("there are {MAX_TEMPLATES} templates and snapshots already"),
                "Delete some of them.",
            ));
        }
        let named = others.iter().find(|one| new.name.is_some() && one.name == new.name);
        new.family = named.map_or_else(|| new.id.clone(), |one| one.family.clone());
        self.write_template(&new).await?;
        Ok(new)
    }

    /// Writes down what is known of one from now on. Where it is ready, its tags are no other's of its family.
    pub(super) async fn keep_template(&self, one: LentTemplate) -> Result<LentTemplate, CommandError> {
        let _turn = self.lending.changing.lock().await;
        self.keep_in_turn(one).await
    }

    /// The caller has the turn. One that was removed meanwhile is not there again.
    async fn keep_in_turn(&self, one: LentTemplate) -> Result<LentTemplate, CommandError> {
        if self.lending.template(&one.id).is_none() {
            return Err(CommandError::NotFound);
        }
        if one.state == TemplateState::Ready {
            let is_other = |other: &LentTemplate| other.family == one.family && other.id != one.id;
            for mut other in self.lending.templates_of(&one.person).into_iter().filter(is_other) {
                let before = other.tags.len();
                other.tags.retain(|tag| !one.tags.contains(tag));
                if other.state == TemplateState::Ready && other.tags.len() != before {
                    self.write_template(&other).await?;
                }
            }
        }
        self.write_template(&one).await?;
        Ok(one)
    }

    async fn write_template(&self, one: &LentTemplate) -> Result<(), CommandError> {
        let seals =
            self.lending.seals(self).await.map_err(|why| CommandError::Failed(anyhow::Error::msg(why)))?;
        super::write(&self.store, LentChange::Keep(seals.seal_template(one)?)).await?;
        lock(&self.lending.templates).insert(one.id.clone(), one.clone());
        Ok(())
    }

    /// The caller has the turn. All of them, or none where one is being built; false where there are none.
    async fn remove_templates(&self, all: &[LentTemplate]) -> Result<bool, CommandError> {
        if all.iter().any(|one| one.state == TemplateState::Building) {
            return Err(CommandError::invalid(
                "template_building",
                "the template is being built",
                "Wait until that is over.",
            ));
        }
        for one in all {
            self.remove_template(&one.id).await?;
        }
        self.tidy_images().await;
        Ok(!all.is_empty())
    }

    /// Nothing of it is left, but what sandboxes began with.
    pub(super) async fn remove_template(&self, id: &SessionId) -> Result<(), CommandError> {
        super::write(&self.store, LentChange::Remove(id.clone())).await?;
        // The files first: what is in no row and not here either would be anybody's to remove.
        self.provider.forget(id).await.map_err(super::keeping::failed)?;
        lock(&self.lending.templates).remove(id);
        lock(&self.lending.journals).remove(id);
        Ok(())
    }
}

/// Each once, in their order.
fn few(mut tags: Vec<String>) -> Result<Vec<String>, CommandError> {
    tags.sort();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        return Err(CommandError::invalid(
            "too_many_tags",
            format!("a template has at most {MAX_TAGS} tags"),
            "Take some of them away.",
        ));
    }
    Ok(tags)
}

/// Those that were being made when the server ended: nobody goes on with them.
pub(super) async fn give_up_unfinished(shared: &Arc<Shared>) {
    let all: Vec<_> = lock(&shared.lending.templates).values().cloned().collect();
    for one in all.into_iter().filter(|one| one.state == TemplateState::Building) {
        let failed = match one.of {
            // Nobody has heard of it.
            Some(_) => shared.remove_template(&one.id).await,
            None => shared.give_up(&one, "the server was restarted while it was built").await,
        };
        if let Err(error) = failed {
            tracing::warn!(template = %one.id, %error, "what is left of a template could not be removed");
        }
    }
}

impl Shared {
    async fn give_up(&self, one: &LentTemplate, why: &str) -> Result<(), CommandError> {
        self.provider.forget(&one.id).await.map_err(super::keeping::failed)?;
        let state = TemplateState::Failed { message: why.to_owned(), step: FailedStep::Base };
        self.keep_template(LentTemplate { state, ..one.clone() }).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAGS, TemplateName, few};

    #[test]
    fn tags_are_each_there_once_and_few() {
        assert_eq!(few(vec!["b".into(), "a".into(), "b".into()]).unwrap(), ["a", "b"]);
        let tags = |count| (0..count).map(|tag| tag.to_string()).collect::<Vec<_>>();
        assert_eq!(few(tags(MAX_TAGS)).unwrap().len(), MAX_TAGS);
        assert!(few(tags(MAX_TAGS + 1)).is_err());
    }

    #[test]
    fn a_template_is_called_by_its_name_and_a_tag() {
        let parsed = |said| TemplateName::parse(said).map(|called| (called.name, called.tag));
        let own = |name: &str, tag: Option<&str>| Some((name.to_owned(), tag.map(str::to_owned)));
        assert_eq!(parsed("py"), own("py", None));
        assert_eq!(parsed("py:v1.0"), own("py", Some("v1.0")));
        assert_eq!(parsed("team/py:v1"), own("py", Some("v1")));
        for wrong in ["", ":", "py:", ":v1", "a b", "a:b:c", "../x:", &"x".repeat(129)] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
