//! What opening a conversation tells: which models and modes there are. Source: ACP v1 `configOptions` and `modes`, and
//! the older `models` that agents still send.

use lamplight_domain::agent::{Model, ModelConfig, Opened};
use serde_json::Value;

/// Reads the result of `session/new` or `session/load`. Anything missing is simply not on offer.
pub(super) fn read(agent_session: &str, result: &Value) -> Opened {
    let mut opened = Opened { agent_session: agent_session.to_owned(), ..Opened::default() };
    if let Some(option) = option_of_category(result, "model") {
        opened.model_config = text(option, "id").map(|id| ModelConfig::Option { id });
        opened.model = text(option, "currentValue");
        opened.models = choices(option).filter_map(|choice| named(choice, "value")).collect();
    } else if let Some(models) = result.get("models").filter(|models| models.is_object()) {
        opened.model_config = Some(ModelConfig::SetModel);
        opened.model = text(models, "currentModelId");
        opened.models =
            items(models, "availableModels").filter_map(|model| named(model, "modelId")).collect();
    }
    if let Some(modes) = result.get("modes").filter(|modes| modes.is_object()) {
        opened.mode = text(modes, "currentModeId");
        opened.modes = items(modes, "availableModes").filter_map(|mode| text(mode, "id")).collect();
    } else if let Some(option) = option_of_category(result, "mode") {
        opened.mode = text(option, "currentValue");
        opened.modes = choices(option).filter_map(|choice| text(choice, "value")).collect();
    }
    opened
}

fn option_of_category<'a>(result: &'a Value, category: &str) -> Option<&'a Value> {
    items(result, "configOptions")
        .find(|option| option.get("category").is_some_and(|found| found == category))
}

/// The choices of a selector, whether they are grouped or not.
fn choices(option: &Value) -> impl Iterator<Item = &Value> {
    items(option, "options").flat_map(|choice| match choice.get("options") {
        Some(Value::Array(grouped)) => grouped.iter().collect(),
        _ => vec![choice],
    })
}

fn items<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(of: &Value, name: &str) -> Option<String> {
    of.get(name)?.as_str().map(ToOwned::to_owned)
}

fn named(of: &Value, id: &str) -> Option<Model> {
    let id = text(of, id)?;
    let name = text(of, "name").unwrap_or_else(|| id.clone());
    Some(Model { id, name })
}
