//! When the clock begins something: an expression as in crontab(5), by the clocks of a time zone.
//!
//! A moment that the zone's clocks leap over is the first moment after the leap; one that they show twice is the first of the two. What repeats within an hour goes on
//! by what the clocks show.

use crate::error::CommandError;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Zoned;
use jiff::tz::TimeZone;
use lamplight_domain::Timestamp;

#[derive(Debug)]
pub(super) struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    pub(super) fn parse(expression: &str, timezone: &str) -> Result<Self, CommandError> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|error| {
            CommandError::invalid(
                "cron_invalid",
                format!("{expression:?} is no cron expression: {error}"),
                "Say minute, hour, day of the month, month and day of the week, such as \"0 9 * * 1-5\" for nine o'clock from Monday to Friday.",
            )
        })?;
        let zone = TimeZone::get(timezone).map_err(|_| {
            CommandError::invalid(
                "timezone_unknown",
                format!("there is no time zone {timezone:?}"),
                "Say it as the IANA time zone database does, such as Europe/Berlin or UTC.",
            )
        })?;
        Ok(Self { cron, zone })
    }

    /// The next moment that is later; `None` where there is none.
    pub(super) fn after(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.zoned(now)?, false).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }

    /// The last moment that is not later.
    pub(super) fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&self.zoned(now)?, true).ok()?;
        Some(Timestamp(last.timestamp().as_millisecond())).filter(|last| *last <= now)
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }
}

/// When it is first due, of an expression that ever is.
pub(super) fn first(
    schedule: &Schedule,
    expression: &str,
    now: Timestamp,
) -> Result<Timestamp, CommandError> {
    schedule.after(now).ok_or_else(|| {
        CommandError::invalid(
            "cron_never",
            format!("no moment is ever as {expression:?} says"),
            "See that the month has such a day.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn said(at: Option<Timestamp>) -> String {
        at.map(|at| jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()).unwrap_or_default()
    }

    /// The next moments after `from`.
    fn check(expression: &str, zone: &str, from: &str, expected: &[&str]) {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let mut now = at(from);
        for moment in expected {
            let next = schedule.after(now);
            assert_eq!(said(next), *moment, "{expression} in {zone} after {}", said(Some(now)));
            now = next.unwrap();
            assert_eq!(schedule.last(now), Some(now), "{expression} at {moment}");
        }
    }

    #[test]
    fn moments_are_by_the_clocks_of_the_zone_whatever_season_it_is() {
        let workdays =
            ["2026-03-27T08:00:00Z", "2026-03-30T07:00:00Z", "2026-03-31T07:00:00Z", "2026-04-01T07:00:00Z"];
        check("0 9 * * 1-5", "Europe/Berlin", "2026-03-26T20:00:00Z", &workdays);
        check("0 9 * * MON-FRI", "Europe/Berlin", "2026-03-26T20:00:00Z", &workdays);
        check("@hourly", "Asia/Kolkata", "2026-01-01T00:00:00Z", &["2026-01-01T00:30:00Z"]);
    }

    #[test]
    fn what_the_clocks_leap_over_is_not_left_out_and_what_they_show_twice_is_once() {
        // At 2:00 it is 3:00 on March 29, and at 3:00 it is 2:00 again on October 25.
        let spring = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        check("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", &spring);
        let autumn = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        check("30 2 * * *", "Europe/Berlin", "2026-10-23T12:00:00Z", &autumn);
    }

    #[test]
    fn a_day_that_is_not_every_year_is_waited_for() {
        check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
        // 2100 has none.
        check("0 0 29 2 *", "UTC", "2097-01-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
        check("0 12 31 * *", "UTC", "2026-03-31T12:00:00Z", &["2026-05-31T12:00:00Z"]);
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let code = |expression: &str, zone: &str| match Schedule::parse(expression, zone) {
            Err(error) => error.code(),
            Ok(schedule) => first(&schedule, expression, at("2026-01-01T00:00:00Z")).unwrap_err().code(),
        };
        for wrong in ["", "nine o'clock", "0 9 * *", "0 0 9 * * 1", "61 * * * *", "* * * 13 *", "0 9 * * MOO"]
        {
            assert_eq!(code(wrong, "UTC"), "cron_invalid", "{wrong}");
        }
        for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *"] {
            assert_eq!(code(never, "UTC"), "cron_never", "{never}");
        }
        for zone in ["", "Berlin", "Europe/Berln", "../../etc/passwd"] {
            assert_eq!(code("* * * * *", zone), "timezone_unknown", "{zone}");
        }
    }
}
