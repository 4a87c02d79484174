//! Descriptors and variables that a careless parent leaves open: doors that no path leads to.

use crate::attempt::{Attempt, StoppedBy, found};
use crate::run::inherited;
use std::fs;

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("use a descriptor that was left open", StoppedBy::Absence, |_| {
        let to = |number: &i32| fs::read_link(format!("/proc/self/fd/{number}")).ok();
        found(
            inherited()
                .iter()
                .filter_map(|number| Some(format!("{number}: {}", to(number)?.display())))
                .collect(),
        )
    }),
    Attempt::new("leave by a directory that was left open", StoppedBy::Absence, |_| {
        let doors = inherited().iter().map(|number| format!("/proc/self/fd/{number}/.."));
        found(doors.filter(|door| fs::read_dir(door).is_ok()).collect())
    }),
    Attempt::new("find a variable of the server", StoppedBy::Absence, |_| {
        // The suite sets it for whoever creates the sandbox.
        found(
            std::env::vars().map(|(name, _)| name).filter(|name| name == "LAMPLIGHT_ESCAPE_SECRET").collect(),
        )
    }),
];
