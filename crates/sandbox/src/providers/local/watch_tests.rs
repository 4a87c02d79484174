//! When a session is walked, and what is made of it.

use super::*;

const MIB: u64 = 1 << 20;
const LIMIT: Use = Use { bytes: 256 * MIB, files: 16_384 };

fn known(taken: Use, written: Use, passed: Duration) -> Known {
    let walked = Some(Walked { taken, limit: LIMIT, full_at: None });
    Known { walked, written, passed, memory_bytes: None }
}

fn bytes(mib: u64) -> Use {
    Use { bytes: mib * MIB, files: 10 }
}

fn files(files: u64) -> Use {
    Use { bytes: MIB, files }
}

#[test]
fn a_session_is_walked_when_it_could_be_over_its_limit() {
    let at_once = Duration::ZERO;
    let check = |known: Known, due| assert_eq!(known.due(), due, "{known:?}");
    check(Known::default(), Due::Nothing);
    check(Known { passed: SOONEST, ..Known::default() }, Due::Walk);
    check(known(bytes(100), bytes(100), at_once), Due::Nothing);
    check(known(bytes(100), bytes(157), at_once), Due::HoldAndWalk);
    check(known(files(100), files(16_285), at_once), Due::HoldAndWalk);
    // Near its limit, not for every block that anybody writes.
    check(known(bytes(255), bytes(2), at_once), Due::Nothing);
    check(known(bytes(255), bytes(2), AGAIN + EACH_FILE * 10), Due::Walk);
    check(known(bytes(255), bytes(17), at_once), Due::HoldAndWalk);
    // One with many files waits longer.
    check(known(files(16_380), files(10), AGAIN), Due::Nothing);
    check(known(files(16_380), files(10), AGAIN * 2), Due::Walk);
    // And all are walked in the end, as others may have freed what they wrote.
    check(known(bytes(1), Use::NONE, FORGET + EACH_FILE * 10), Due::Walk);
    let full = Walked { taken: bytes(257), limit: LIMIT, full_at: Some(bytes(257)) };
    let full = Known { walked: Some(full), ..known(bytes(0), Use::NONE, at_once) };
    check(full, Due::Nothing);
    check(Known { passed: AGAIN + EACH_FILE * 10, ..full }, Due::Walk);
}

#[test]
fn looks_are_as_far_apart_as_there_is_room() {
    let check = |known: Known, wait| assert_eq!(known.wait(), wait, "{known:?}");
    let room = |gib: u64| {
        let limit = Use { bytes: gib << 30, files: u64::MAX };
        let walked = Some(Walked { taken: Use::NONE, limit, full_at: None });
        Known { walked, ..Known::default() }
    };
    check(Known::default(), SOONEST);
    check(room(20), LATEST);
    check(room(2), Duration::from_millis(500));
    check(known(bytes(250), Use::NONE, Duration::ZERO), SOONEST);
    check(Known { memory_bytes: Some(1), ..room(20) }, SOONEST);
}

#[test]
fn who_is_over_is_kept_from_growing_and_who_grows_on_is_ended() {
    let check = |full_at, taken, wanted| assert_eq!(judge(full_at, taken, LIMIT), wanted, "{taken:?}");
    check(None, bytes(256), (None, Action::Nothing));
    check(None, bytes(257), (Some(bytes(257)), Action::Stop));
    check(Some(bytes(257)), bytes(320), (Some(bytes(257)), Action::Stop));
    check(Some(bytes(257)), bytes(321), (Some(bytes(257)), Action::End));
    check(Some(files(16_400)), files(20_481), (Some(files(16_400)), Action::End));
    // What an earlier sandbox left is this one's to put right, and not to add to.
    check(None, bytes(900), (Some(bytes(900)), Action::Stop));
    check(Some(bytes(900)), bytes(910), (Some(bytes(900)), Action::Stop));
    check(Some(bytes(900)), bytes(917), (Some(bytes(900)), Action::End));
    check(Some(bytes(257)), bytes(250), (None, Action::Free));
}

#[test]
fn a_copy_counts_whatever_others_free_meanwhile() {
    let is_within = |taken, written, copy| known(taken, written, Duration::ZERO).is_surely_within(&copy);
    let of_all = |taken| Copied { taken, is_of_all: true };
    let of_changes = |taken| Copied { taken, is_of_all: false };
    assert!(is_within(bytes(100), bytes(150), Copied::default()));
    assert!(!is_within(bytes(100), bytes(157), Copied::default()));
    // Nothing seems to have been written, and what there was to be copied was not there at the last walk.
    assert!(is_within(bytes(1), Use::NONE, of_all(bytes(128))));
    assert!(!is_within(bytes(1), Use::NONE, of_all(bytes(129))));
    assert!(is_within(bytes(200), Use::NONE, of_changes(bytes(56))));
    assert!(!is_within(bytes(200), Use::NONE, of_changes(bytes(57))));
    assert!(!is_within(files(1), Use::NONE, of_all(files(8200))));
    assert!(!Known::default().is_surely_within(&Copied::default()));
}
