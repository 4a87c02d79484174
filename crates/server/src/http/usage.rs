//! `GET /usage`

use super::App;
use super::access::{self, Caller, may_see};
use super::extract::Query;
use super::problem::Problem;
use super::resources::{Cost, Moment, Tokens};
use crate::clock;
use axum::Json;
use axum::extract::State;
use jiff::tz::TimeZone;
use lamplight_domain::{BudgetOf, Timestamp};
use lamplight_engine::{BudgetStanding, UsageQuery, UsageSum};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DAY_MS: i64 = 24 * 60 * 60_000;
/// Longer ago than any log; days.
const MOST_DAYS: i64 = 36_500;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// What is summed up together; `repository` by default.
    by: UsageBy,
    /// A day such as `2026-01-31` (in UTC), a moment in RFC 3339, or so many days ago such as `30d`; the first of this month (in
    /// UTC) by default.
    #[param(example = "30d")]
    since: Option<String>,
}

/// What is summed up together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    #[default]
    Repository,
    /// Whom the sessions are for.
    Person,
    /// As the answers name it.
    Model,
    /// By which list of prices the money was counted.
    Prices,
    Session,
    /// In UTC.
    Day,
}

/// What models were asked for from one moment on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageReport {
    pub by: UsageBy,
    #[schema(value_type = String, format = DateTime)]
    pub since: Moment,
    /// The most expensive first; days: the latest first.
    pub items: Vec<UsageItem>,
    /// Of all, those that `items` has no room for included.
    pub total: UsageItem,
    /// There are more than `items` has room for.
    pub is_cut: bool,
    /// Those of this month, whatever `since` says.
    pub budgets: Vec<MonthBudget>,
}

/// What sessions together may cost in this calendar month (UTC); amounts are millionths of a dollar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MonthBudget {
    pub whose: BudgetWhose,
    /// The name of the person, the path of the repository; `null` for all sessions.
    pub name: Option<String>,
    pub budget_micros: u64,
    pub spent_micros: u64,
    /// Set aside for requests that are being answered.
    pub reserved_micros: u64,
    /// When the month is over.
    #[schema(value_type = String, format = DateTime)]
    pub until: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetWhose {
    /// All sessions.
    Deployment,
    Person,
    Repository,
}

/// One sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageItem {
    /// The path of the repository, the name of the person or of the model, the id of the session, the day, or the list of prices with
    /// its version, such as `genai-prices 0.2.1+1` (empty: not written down, as before 0.2); of the total it is empty.
    pub key: String,
    /// Of a session.
    pub title: Option<String>,
    /// Requests to models that were answered.
    pub requests: u64,
    /// Those of them whose price nobody knows.
    pub unpriced: u64,
    /// Those of them that did not say all that they used, so that it is in part guessed.
    pub estimated: u64,
    pub tokens: Tokens,
    pub cost: Cost,
}

/// What models were asked for, and what it cost, summed up over sessions.
#[utoipa::path(get, path = "/usage", operation_id = "show_usage", tag = "server", params(Params),
    responses((status = 200, body = UsageReport), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<UsageReport>, Problem> {
    let since = since(params.since.as_deref(), clock::now())?;
    let query = UsageQuery { since: Some(since), ..UsageQuery::all(params.by.into()) };
    let usage = app.engine.usage(query).await?;
    let budgets = app.engine.budgets().into_iter().filter_map(month_budget).collect();
    Ok(Json(UsageReport {
        by: params.by,
        since: Moment(since),
        items: seen(&app, &caller, params.by, usage.sums).await.into_iter().map(UsageItem::from).collect(),
        total: usage.total.into(),
        is_cut: usage.is_cut,
        budgets: access::seen(&app, &caller, budgets, repository_of).await,
    }))
}

fn repository_of(budget: &MonthBudget) -> Option<&str> {
    budget.name.as_deref().filter(|_| budget.whose == BudgetWhose::Repository)
}

/// What was spent in all is for everybody; which repositories and sessions there are is for who may see them.
async fn seen(app: &App, caller: &Caller, by: UsageBy, sums: Vec<UsageSum>) -> Vec<UsageSum> {
    if caller.is_admin() {
        return sums;
    }
    let mut those = Vec::with_capacity(sums.len());
    for sum in sums {
        let repository = match by {
            UsageBy::Repository => Some(sum.key.clone()),
            UsageBy::Session => match sum.key.parse() {
                Ok(id) => app.engine.view(&id).await.ok().map(|view| view.repository),
                Err(_) => None,
            },
            UsageBy::Person | UsageBy::Model | UsageBy::Prices | UsageBy::Day => None,
        };
        let is_seen = match repository {
            Some(repository) => may_see(app, caller, &repository).await.is_ok(),
            None => true,
        };
        if is_seen {
            those.push(sum);
        }
    }
    those
}

/// When a stretch of time begins that is named like this.
pub(super) fn since(text: Option<&str>, now: Timestamp) -> Result<Timestamp, Problem> {
    let wrong = || {
        Problem::invalid_request(
            "since has to be a day such as 2026-01-31, a moment in RFC 3339, or so many days ago such as 30d",
        )
    };
    let start = |date: jiff::civil::Date| {
        let start = date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        Ok(Timestamp(start.timestamp().as_millisecond()))
    };
    let Some(text) = text else {
        let today =
            jiff::Timestamp::from_millisecond(now.0).map_err(|_| wrong())?.to_zoned(TimeZone::UTC).date();
        return start(today.first_of_month());
    };
    if let Some(days) = text.strip_suffix('d') {
        let days: i64 = days.parse().map_err(|_| wrong())?;
        if !(0..=MOST_DAYS).contains(&days) {
            return Err(wrong());
        }
        return Ok(Timestamp(now.0 - days * DAY_MS));
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(moment.as_millisecond()));
    }
    start(text.parse().map_err(|_| wrong())?)
}

/// A session's own is no budget of a month.
fn month_budget(standing: BudgetStanding) -> Option<MonthBudget> {
    let BudgetStanding { month, reserved_micros } = standing;
    let (whose, name) = match month.of {
        BudgetOf::Session => return None,
        BudgetOf::Deployment => (BudgetWhose::Deployment, None),
        BudgetOf::Person { name } => (BudgetWhose::Person, Some(name)),
        BudgetOf::Repository { path } => (BudgetWhose::Repository, Some(path)),
    };
    let (budget_micros, spent_micros, until) = (month.budget_micros, month.spent_micros, Moment(month.until));
    Some(MonthBudget { whose, name, budget_micros, spent_micros, reserved_micros, until })
}

impl From<UsageBy> for lamplight_engine::UsageBy {
    fn from(by: UsageBy) -> Self {
        match by {
            UsageBy::Repository => Self::Repository,
            UsageBy::Person => Self::Person,
            UsageBy::Model => Self::Model,
            UsageBy::Prices => Self::Prices,
            UsageBy::Session => Self::Session,
            UsageBy::Day => Self::Day,
        }
    }
}

impl From<UsageSum> for UsageItem {
    fn from(sum: UsageSum) -> Self {
        Self {
            key: sum.key,
            title: sum.title,
            requests: sum.requests,
            unpriced: sum.unpriced,
            estimated: sum.estimated,
            tokens: sum.tokens.into(),
            cost: Cost { micros: sum.cost_micros, is_partial: sum.unpriced > 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_begins_where_people_say() {
        /// 2025-11-21T12:00:00Z
        const NOON: i64 = 1_763_726_400_000;
        let check = |text: Option<&str>, expected: Option<i64>| {
            assert_eq!(since(text, Timestamp(NOON)).ok(), expected.map(Timestamp), "{text:?}");
        };
        check(None, Some(NOON - DAY_MS / 2 - 20 * DAY_MS));
        check(Some("2025-11-21"), Some(NOON - DAY_MS / 2));
        check(Some("2025-11-21T11:00:00Z"), Some(NOON - 3_600_000));
        check(Some("30d"), Some(NOON - 30 * DAY_MS));
        check(Some("0d"), Some(NOON));
        for wrong in ["", "d", "-1d", "99999999d", "yesterday", "2025-13-01"] {
            check(Some(wrong), None);
        }
    }
}
