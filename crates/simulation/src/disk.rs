//! The disk below the store, and the way to it: now and then late, full or cut off for a while.

use crate::universe::Universe;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use lamplight_store::{Away, Disk, Unwritten};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Before somebody who asks a database that cannot be reached is told so.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct SimulatedDisk {
    universe: Arc<Universe>,
    full_until: Mutex<Duration>,
}

impl SimulatedDisk {
    pub(crate) fn new(universe: Arc<Universe>) -> Self {
        Self { universe, full_until: Mutex::default() }
    }

    fn is_full(&self) -> bool {
        let (universe, now) = (&self.universe, self.universe.clock.elapsed());
        if universe.weather().full == 0 {
            return false;
        }
        let mut until = crate::universe::lock(&self.full_until);
        if now >= *until && universe.happens(universe.weather().full / 10) {
            *until = now + Duration::from_millis(universe.number(1..10_000));
            universe.tell(|| "the disk is full".to_owned());
        }
        now < *until
    }

    async fn reach(&self) -> Result<(), Away> {
        self.universe.step().await;
        let there = tokio::time::timeout(PATIENCE, self.universe.database_is_there());
        there.await.map_err(|_| Away)
    }
}

impl Disk for SimulatedDisk {
    fn write(&self) -> BoxFuture<'_, Result<(), Unwritten>> {
        async move {
            self.reach().await.map_err(|Away| Unwritten::Away)?;
            if self.is_full() { Err(Unwritten::Full) } else { Ok(()) }
        }
        .boxed()
    }

    fn written(&self) -> BoxFuture<'_, ()> {
        async move {
            self.universe.step().await;
            // Whoever connects again sees whether it was written.
            self.universe.database_is_there().await;
        }
        .boxed()
    }

    fn read(&self) -> BoxFuture<'_, Result<(), Away>> {
        self.reach().boxed()
    }
}
