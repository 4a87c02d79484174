//! Answers to our own requests, told apart by their ids.

use super::{Said, failures, opened};
use crate::ids::{self, Asked};
use agent_client_protocol_schema::ProtocolVersion;
use agent_client_protocol_schema::v1::{InitializeResponse, StopReason as AcpStopReason};
use lamplight_domain::agent::{AgentReport, StopReason};
use lamplight_domain::{Event, Failure, FailureClass, TurnNumber};
use serde_json::{Value, json};

/// Reads an answer. One to a question that was never asked is noted and changes nothing.
pub(super) fn read(id: &Value, result: Result<Value, Value>) -> Said {
    let Some(asked) = id.as_str().and_then(ids::parse) else {
        let text = format!("(an answer to a request that was never made: {id})\n");
        return Said { reports: Vec::new(), events: vec![Event::AgentLogged { text }] };
    };
    match (asked, result) {
        (Asked::Prompt(turn), Ok(result)) => prompt_ended(turn, &result),
        (Asked::Prompt(turn), Err(error)) => {
            Said::report(AgentReport::PromptEnded { turn, result: Err(failures::of(&error)) })
        }
        (asked, Err(error)) => {
            Said::report(AgentReport::RequestFailed { what: asked.kind(), failure: failures::of(&error) })
        }
        (Asked::Initialize, Ok(result)) => Said::report(initialized(result)),
        (Asked::NewSession, Ok(result)) => {
            Said::report(match result.get("sessionId").and_then(Value::as_str) {
                Some(agent_session) => {
                    AgentReport::SessionOpened(Box::new(opened::read(agent_session, &result)))
                }
                None => AgentReport::RequestFailed {
                    what: Asked::NewSession.kind(),
                    failure: broken("its new conversation has no sessionId"),
                },
            })
        }
        (Asked::LoadSession { agent_session }, Ok(result)) => {
            Said::report(AgentReport::SessionOpened(Box::new(opened::read(&agent_session, &result))))
        }
        (Asked::ChooseModel | Asked::ChooseMode, Ok(_)) => Said::report(AgentReport::Configured),
    }
}

fn initialized(result: Value) -> AgentReport {
    let failure = match serde_json::from_value::<InitializeResponse>(result) {
        Ok(response) if response.protocol_version == ProtocolVersion::V1 => {
            let capabilities = response.agent_capabilities;
            let takes_images = capabilities.prompt_capabilities.image;
            return AgentReport::Initialized { can_load: capabilities.load_session, takes_images };
        }
        Ok(response) => Failure::agent(
            FailureClass::Persistent,
            format!(
                "The agent speaks version {} of ACP, and Lamplight speaks version 1; install a version of the agent that does.",
                response.protocol_version
            ),
        ),
        Err(error) => broken(&format!("its answer to initialize cannot be read ({error})")),
    };
    AgentReport::RequestFailed { what: Asked::Initialize.kind(), failure }
}

fn prompt_ended(turn: TurnNumber, result: &Value) -> Said {
    let reason = result.get("stopReason").cloned().unwrap_or_default();
    let result_read = match serde_json::from_value::<AcpStopReason>(reason.clone()) {
        Ok(AcpStopReason::EndTurn) => Ok(StopReason::EndTurn),
        Ok(AcpStopReason::MaxTokens) => Ok(StopReason::MaxTokens),
        Ok(AcpStopReason::MaxTurnRequests) => Ok(StopReason::MaxTurnRequests),
        Ok(AcpStopReason::Refusal) => Ok(StopReason::Refusal),
        Ok(AcpStopReason::Cancelled) => Ok(StopReason::Cancelled),
        Ok(_) | Err(_) => Err(broken(&format!("it ended its turn with the unknown reason {reason}"))),
    };
    let mut said = Said::report(AgentReport::PromptEnded { turn, result: result_read });
    // Agents count differently here (the last step, the whole turn, with side calls or without), so it is kept as
    // they say it, and never added up.
    let counted = json!({ "usage": result.get("usage"), "_meta": result.get("_meta") });
    if counted.as_object().is_some_and(|counted| counted.values().any(|value| !value.is_null())) {
        said.events.push(Event::AgentSent { turn, kind: "prompt_result".to_owned(), raw: counted });
    }
    said
}

fn broken(what: &str) -> Failure {
    Failure::agent(FailureClass::Persistent, format!("The agent broke the protocol: {what}."))
}
