//! `lamplight budget`, and money as people type and read it.

use super::SessionArgument;
use super::client::Client;
use super::output::Output;
use crate::http::resources::{Cost, SessionView};
use crate::http::sessions::budget::BudgetRequest;
use clap::Args;
use lamplight_domain::session::Dollars;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// Dollars that all turns of the session together may cost, such as 2.50; 0 for no bound
    #[arg(value_name = "DOLLARS", value_parser = micros)]
    budget: u64,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let request = BudgetRequest { budget_micros: arguments.budget };
    let view: SessionView = client.post(&format!("/sessions/{id}/budget"), Some(&request)).await?;
    if arguments.json {
        output.json(&view)?;
    } else if view.budget_micros == 0 {
        output.line("It may cost what it costs.")?;
    } else {
        let budget = Dollars(view.budget_micros);
        output.line(&format!("It may cost {budget}; spent: {}.", spent(view.cost)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `$0.12`; `over $0.12` where the price of something is not known; nothing where no price is.
pub(super) fn money(cost: Cost) -> Option<String> {
    match (cost.micros, cost.is_partial) {
        (0, _) => None,
        (micros, false) => Some(Dollars(micros).to_string()),
        (micros, true) => Some(format!("over {}", Dollars(micros))),
    }
}

/// Where a sum has to stand.
pub(super) fn spent(cost: Cost) -> String {
    money(cost).unwrap_or_else(|| if cost.is_partial { "nobody knows" } else { "$0.00" }.to_owned())
}

/// Dollars with up to six digits behind the point, as millionths.
pub(super) fn micros(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no amount of dollars, such as 5 or 2.50");
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) =
        text.trim_start_matches('$').split_once('.').unwrap_or((text.trim_start_matches('$'), ""));
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 6 {
        return Err(wrong());
    }
    let part: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, expected) in [("5", 5_000_000), ("$2.50", 2_500_000), ("0.000001", 1), ("0", 0)] {
            assert_eq!(micros(text), Ok(expected));
        }
        for wrong in ["", "-1", "1,50", "1.0000001", ".5", "99999999999999999", "one"] {
            assert!(micros(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_has_no_price_is_not_told_as_free() {
        let cost = |micros, is_partial| money(Cost { micros, is_partial });
        assert_eq!(cost(0, false), None);
        assert_eq!(cost(0, true), None);
        assert_eq!(spent(Cost { micros: 0, is_partial: true }), "nobody knows");
        assert_eq!(spent(Cost { micros: 0, is_partial: false }), "$0.00");
        assert_eq!(cost(120_000, false).as_deref(), Some("$0.12"));
        assert_eq!(cost(120_000, true).as_deref(), Some("over $0.12"));
    }
}
