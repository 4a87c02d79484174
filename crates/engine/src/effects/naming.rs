//! Models of upstreams that the configuration names: `local/llama3` for people and in the log, `llama3` for an agent that was sent to
//! `local` and knows nothing of that name.

use crate::agents;
use crate::engine::Shared;
use lamplight_domain::agent::{AgentInput, AgentReport};
use std::borrow::Cow;

/// How one run of an agent calls models.
pub(super) struct Naming {
    /// What stands in front of each for everybody else.
    prefix: Option<String>,
}

impl Naming {
    /// Of a run that was begun with this model.
    pub(super) fn of(shared: &Shared, agent: &str, model: Option<&str>) -> Self {
        Self { prefix: agents::unnamed(shared, agent, model).map(|upstream| format!("{upstream}/")) }
    }

    /// What the agent is told, in its own words.
    pub(super) fn told<'a>(&self, input: &'a AgentInput) -> Cow<'a, AgentInput> {
        if let (Some(prefix), AgentInput::ChooseModel { agent_session, config, model }) =
            (&self.prefix, input)
            && let Some(model) = model.strip_prefix(prefix)
        {
            let (agent_session, config) = (agent_session.clone(), config.clone());
            return Cow::Owned(AgentInput::ChooseModel { agent_session, config, model: model.to_owned() });
        }
        Cow::Borrowed(input)
    }

    /// What the agent reports, in everybody's words.
    pub(super) fn heard(&self, mut report: AgentReport) -> AgentReport {
        if let (Some(prefix), AgentReport::SessionOpened(opened)) = (&self.prefix, &mut report) {
            let opened = &mut **opened;
            let ids = opened.models.iter_mut().map(|model| &mut model.id).chain(&mut opened.model);
            ids.for_each(|id| id.insert_str(0, prefix));
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::agent::{Model, ModelConfig, Opened};

    fn opened(prefix: &str) -> AgentReport {
        let model = |id: &str| Model { id: format!("{prefix}{id}"), name: id.to_owned() };
        AgentReport::SessionOpened(Box::new(Opened {
            models: vec![model("llama3"), model("vendor/m:free")],
            model: Some(format!("{prefix}llama3")),
            ..Opened::default()
        }))
    }

    fn chosen(model: &str) -> AgentInput {
        let (agent_session, config) = ("1".to_owned(), ModelConfig::SetModel);
        AgentInput::ChooseModel { agent_session, config, model: model.to_owned() }
    }

    #[test]
    fn an_agent_that_was_sent_somewhere_does_not_know_what_that_is_called() {
        let naming = Naming { prefix: Some("local/".to_owned()) };
        assert_eq!(naming.heard(opened("")), opened("local/"));
        assert_eq!(*naming.told(&chosen("local/vendor/m:free")), chosen("vendor/m:free"));
        assert_eq!(*naming.told(&chosen("other/m")), chosen("other/m"));
        let naming = Naming { prefix: None };
        assert_eq!(naming.heard(opened("")), opened(""));
        assert_eq!(*naming.told(&chosen("local/m")), chosen("local/m"));
    }
}
