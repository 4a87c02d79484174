//! The OpenAPI document: made from the handlers, served, and checked in as `docs/openapi.json`.

use super::{
    agents, artifacts, attachments, audit, automations, changes, code, files, guards, hooks, keys, me,
    models, people, ports, pull_request, repositories, sandboxes, sessions, sign_in, status, templates,
    terminals, tokens, usage,
};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lamplight",
        description = "Background coding agents on machines you own. Errors are `application/problem+json` with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/api/v1")),
    components(schemas(sessions::log::LogEntries)),
    paths(
        sessions::list::handle,
        sessions::create::handle,
        sessions::ahead::handle,
        sessions::show::handle,
        sessions::prompt::handle,
        sessions::edit_prompt::handle,
        sessions::remove_prompt::handle,
        sessions::continue_once::handle,
        sessions::stop::handle,
        sessions::retry::handle,
        sessions::pause::handle,
        sessions::resume::handle,
        sessions::release::handle,
        sessions::restore::handle,
        sessions::budget::handle,
        sessions::choose_model::handle,
        sessions::answer::handle,
        sessions::answer_question::handle,
        sessions::diff::handle,
        sessions::merge::handle,
        sessions::pull_request::handle,
        pull_request::show::handle,
        pull_request::ready::handle,
        pull_request::close::handle,
        pull_request::update::handle,
        sessions::gateway_token::handle,
        sessions::priority::handle,
        crate::http::queue::handle,
        crate::http::github::show::handle,
        sessions::attempts::handle,
        sessions::take::handle,
        sessions::children::handle,
        sessions::end::handle,
        sessions::archive::handle,
        sessions::unarchive::handle,
        sessions::search_secrets::handle,
        sessions::usage::handle,
        files::list::handle,
        files::read::handle,
        files::write::handle,
        sessions::log::handle,
        sessions::events::handle,
        artifacts::handle,
        attachments::upload::handle,
        attachments::show::handle,
        terminals::list::handle,
        terminals::open::handle,
        terminals::close::handle,
        terminals::stream::handle,
        ports::list::handle,
        ports::open::handle,
        code::show::handle,
        code::start::handle,
        code::open::handle,
        changes::handle,
        agents::handle,
        audit::list::handle,
        automations::list::handle,
        automations::create::handle,
        automations::show::handle,
        automations::pause::handle,
        automations::resume::handle,
        automations::remove::handle,
        automations::run::handle,
        keys::list::handle,
        keys::set::handle,
        keys::remove::handle,
        keys::test::handle,
        hooks::list::handle,
        hooks::add::handle,
        hooks::remove::handle,
        hooks::test::handle,
        hooks::deliveries::handle,
        hooks::retry::handle,
        guards::handle,
        models::handle,
        repositories::handle,
        repositories::offer,
        sandboxes::handle,
        sandboxes::take_back,
        templates::list,
        templates::remove,
        status::handle,
        usage::handle,
        sign_in::ways::handle,
        sign_in::enter::handle,
        sign_in::way::begin,
        sign_in::way::callback,
        sign_in::out::handle,
        sign_in::everywhere::handle,
        me::handle,
        tokens::list::handle,
        tokens::create::handle,
        tokens::revoke::handle,
        people::list::handle,
        people::invite::handle,
        people::uninvite::handle,
        people::set_role::handle,
        people::remove::handle,
        people::link::handle,
        people::tokens::list,
        people::tokens::revoke,
    )
)]
struct Document;

/// The document as it is checked in.
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().expect("the document is made of maps and strings");
    text.push('\n');
    text
}

/// What each operation is called.
pub(super) fn operations() -> HashMap<(Method, String), String> {
    let mut names = HashMap::new();
    for (path, item) in Document::openapi().paths.paths {
        let operations = [
            (Method::GET, item.get),
            (Method::POST, item.post),
            (Method::PUT, item.put),
            (Method::PATCH, item.patch),
            (Method::DELETE, item.delete),
        ];
        for (method, operation) in operations {
            if let Some(name) = operation.and_then(|operation| operation.operation_id) {
                names.insert((method, path.clone()), name);
            }
        }
    }
    names
}

pub(super) async fn handle() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
