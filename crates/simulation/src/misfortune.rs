//! What happens to the world by itself: sandboxes and agents die, and somebody sets the clock.

use crate::fault::Fault;
use crate::universe::{Universe, lock};
use std::sync::Arc;
use std::time::Duration;

/// Looks around for as long as the life lasts.
pub(crate) async fn strike(universe: Arc<Universe>) {
    loop {
        let ms = universe.number(200..6_000);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        if !universe.happens(universe.weather().misfortune) {
            continue;
        }
        let running: Vec<_> =
            lock(&universe.sandboxes).values().filter_map(|sandboxes| sandboxes.running.clone()).collect();
        if running.is_empty() {
            continue;
        }
        let one = &running[universe.number(0..running.len() as u64) as usize];
        match universe.number(0..8) {
            0 | 1 => lose(&universe, one),
            2..5 => one.cut(),
            5 | 6 => one.kill_agent(),
            _ => set_the_clock(&universe),
        }
    }
}

/// By some minutes, or by an hour, to what is right or to what is not.
fn set_the_clock(universe: &Universe) {
    let most = if universe.happens(250) { 60 * 60_000 } else { 5 * 60_000 };
    let ms = universe.number(0..2 * most) as i64 - most as i64;
    universe.struck(Fault::ClockSet);
    universe.tell(|| format!("the clock is wrong by {ms} ms from here on"));
    // What was due by the clock that was is due so much later.
    let back = universe.clock.set_wrong_by(ms);
    universe.hinder_until(universe.clock.elapsed() + back);
}

/// The machine itself is gone for a moment.
pub(crate) fn lose_all(universe: &Universe) {
    let running: Vec<_> =
        lock(&universe.sandboxes).values().filter_map(|sandboxes| sandboxes.running.clone()).collect();
    running.iter().for_each(|guest| lose(universe, guest));
}

fn lose(universe: &Universe, guest: &Arc<crate::guest::Guest>) {
    let mut all = lock(&universe.sandboxes);
    let Some(sandboxes) = all.get_mut(&guest.session) else { return };
    if sandboxes.running.take_if(|running| Arc::ptr_eq(running, guest)).is_some() {
        sandboxes.left_over.push(guest.generation);
        universe.struck(Fault::Loss);
        universe.tell(|| format!("{} loses sandbox {}", guest.session, guest.generation));
        guest.die();
    }
}
