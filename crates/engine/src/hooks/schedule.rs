//! When a delivery that failed is tried again, and when it is given up.

use lamplight_domain::Timestamp;

/// After so long since it was first to be tried, in milliseconds; the last is the end. The specification's example, within a day.
const TRIED_AFTER_MS: [u64; 7] = [
    5_000,
    5_000 + 5 * MINUTE_MS,
    5_000 + 35 * MINUTE_MS,
    5_000 + 155 * MINUTE_MS,
    5_000 + 455 * MINUTE_MS,
    5_000 + 1_055 * MINUTE_MS,
    DAY_MS,
];
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Between tries for which the day was too short, because the server was away: what it needs may not be there yet when it wakes.
const MADE_UP_MS: u64 = 5 * MINUTE_MS;

/// Of a delivery that failed at `now`, the `tries`-th time since its time began; `None` gives it up. Whoever was asked may want more time,
/// within its day. The day follows from the moment alone, so that a server that was away goes on where the clock is; but nothing is given
/// up before it was tried as often as in a day.
pub(super) fn next_try(
    since: Timestamp,
    now: Timestamp,
    tries: u32,
    retry_after_s: Option<u64>,
) -> Option<Timestamp> {
    let elapsed = now.since_ms(since);
    let Some(after) = TRIED_AFTER_MS.into_iter().find(|after| *after > elapsed) else {
        return ((tries as usize) < TRIED_AFTER_MS.len()).then(|| now.plus_ms(MADE_UP_MS));
    };
    let asked = now.plus_ms(retry_after_s.unwrap_or(0).saturating_mul(1000));
    Some(since.plus_ms(after).max(asked).min(since.plus_ms(DAY_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_less_and_less_often_for_a_day() {
        let since = Timestamp(1_000_000);
        let mut tries = vec![since];
        while let Some(next) = next_try(since, *tries.last().unwrap(), tries.len() as u32, None) {
            tries.push(next);
        }
        let seconds: Vec<u64> = tries.iter().map(|at| at.since_ms(since) / 1000).collect();
        assert_eq!(seconds, [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 86_400]);
    }

    #[test]
    fn who_asks_for_time_gets_it_within_the_day() {
        let since = Timestamp(0);
        let at = |now_s: i64, after: u64| {
            next_try(since, Timestamp(now_s * 1000), 7, Some(after)).map(|at| at.0 / 1000)
        };
        assert_eq!(at(0, 0), Some(5));
        assert_eq!(at(0, 120), Some(120));
        assert_eq!(at(10, 60), Some(305));
        assert_eq!(at(0, u64::MAX), Some(86_400));
        assert_eq!(at(86_400, 60), None);
    }

    #[test]
    fn a_server_that_was_away_tries_as_often_as_in_a_day() {
        let (since, mut tries) = (Timestamp(0), vec![Timestamp(60 * 3_600_000)]);
        while let Some(next) = next_try(since, *tries.last().unwrap(), tries.len() as u32, None) {
            tries.push(next);
        }
        let minutes: Vec<u64> = tries.iter().map(|at| at.since_ms(tries[0]) / MINUTE_MS).collect();
        assert_eq!(minutes, [0, 5, 10, 15, 20, 25, 30]);
    }
}
