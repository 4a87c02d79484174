//! The disk below the store: now and then late, now and then full for a while.

use crate::universe::Universe;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use lamplight_store::{Disk, DiskFull};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
}

impl Disk for SimulatedDisk {
    fn write(&self) -> BoxFuture<'_, Result<(), DiskFull>> {
        async move {
            self.universe.step().await;
            if self.is_full() { Err(DiskFull) } else { Ok(()) }
        }
        .boxed()
    }

    fn written(&self) -> BoxFuture<'_, ()> {
        self.universe.step().boxed()
    }

    fn read(&self) -> BoxFuture<'_, ()> {
        self.universe.step().boxed()
    }
}
