//! Calendar months, in UTC.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lamplight_domain::Timestamp;

/// From its first moment to the first of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Month {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Month {
    /// The one that `at` is in. A moment that no calendar has is taken for the first there is.
    pub(super) fn of(at: Timestamp) -> Self {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let first = at.to_zoned(TimeZone::UTC).date().first_of_month();
        Self { start: midnight(first), end: midnight(first.saturating_add(1.month())) }
    }
}

fn midnight(date: Date) -> Timestamp {
    let moment = date.to_zoned(TimeZone::UTC).map(|moment| moment.timestamp().as_millisecond());
    Timestamp(moment.unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_the_calendars() {
        let check = |at: &str, start: &str, end: &str| {
            let ms = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
            assert_eq!(Month::of(ms(at)), Month { start: ms(start), end: ms(end) }, "{at}");
        };
        check("2026-11-25T23:59:59.999Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
        check("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
        check("2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
    }
}
