//! `lamplight sandboxes templates` and `forget`: what lent sandboxes begin with, of everybody, for admins.

use super::client::Client;
use super::output::{Output, Style, clean};
use crate::http::templates::{TemplateItem, TemplateList, TemplateStateView};
use anyhow::bail;

pub(super) async fn list(client: &Client, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let all: TemplateList = client.get("/templates").await?;
    if json {
        return Ok(output.json(&all)?);
    }
    if all.items.is_empty() && all.uploads.is_empty() {
        output.line("There are no templates and no uploads.")?;
    }
    for item in &all.items {
        output.line(&row(item, output))?;
    }
    for uploads in &all.uploads {
        let person = uploads.person.as_deref().unwrap_or("somebody who is not here any more");
        let id = output.paint(Style::Dim, &uploads.id);
        let (files, mib) = (uploads.files, uploads.bytes >> 20);
        output.line(&format!("{files} uploads of {}, {mib} MiB  {id}", clean(person)))?;
    }
    Ok(())
}

pub(super) async fn forget(client: &Client, wanted: &str, output: &mut Output) -> anyhow::Result<()> {
    let all: TemplateList = client.get("/templates").await?;
    let ids = all.items.iter().map(|item| &item.id).chain(all.uploads.iter().map(|uploads| &uploads.id));
    let mut meant = ids.filter(|id| id.to_ascii_lowercase().ends_with(&wanted.to_ascii_lowercase()));
    match (meant.next(), meant.next()) {
        (Some(id), None) => {
            client.delete(&format!("/templates/{id}")).await?;
            Ok(output.line("It is removed.")?)
        }
        (None, _) => bail!("nothing here is {wanted:?}; `lamplight sandboxes templates` shows what is"),
        (Some(_), Some(_)) => bail!("several are {wanted:?}; say the whole id"),
    }
}

/// `py:v1   ready   Ada   01JD…`
fn row(item: &TemplateItem, output: &Output) -> String {
    let name = item.name.as_deref().unwrap_or("without a name");
    let called =
        if item.tags.is_empty() { name.to_owned() } else { format!("{name}:{}", item.tags.join(",")) };
    let (style, state) = match item.state {
        TemplateStateView::Ready => (Style::Good, "ready"),
        TemplateStateView::Waiting => (Style::Dim, "waiting"),
        TemplateStateView::Building => (Style::Dim, "building"),
        TemplateStateView::Failed => (Style::Bad, "failed"),
    };
    let (state, id) = (output.paint(style, &format!("{state:8}")), output.paint(Style::Dim, &item.id));
    format!("{:30}  {state}  {}  {id}", clean(&called), clean(&item.person))
}
