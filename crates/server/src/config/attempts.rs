//! `[attempts]`: one task for several sessions, of which a person takes one.

use super::ConfigError;
use serde::{Deserialize, Serialize};

const USUAL: u32 = 5;
/// More beside one another nobody compares.
const MOST: u32 = 10;

/// `[attempts]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attempts {
    /// To how many sessions one task can be given at once; 1 is no more than one.
    pub most: u32,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { most: USUAL }
    }
}

impl Attempts {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        match self.most {
            1..=MOST => Ok(()),
            most => Err(ConfigError::Invalid(format!("attempts.most is {most}; it is 1 to {MOST}"))),
        }
    }
}
