//! As whom something is done in a lent sandbox.

use crate::engine::{Engine, Shared};
use lamplight_sandbox::provider::inside;
use std::collections::BTreeMap;

/// Who is in every lent sandbox, where there is a root who can make them; otherwise it is the agent.
const USER: &str = "user";
const HOME: &str = "/home/user";

/// One of those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LentUser {
    pub is_root: bool,
    pub name: &'static str,
    pub home: &'static str,
}

impl LentUser {
    /// What every process of theirs starts with beside all else.
    pub fn environment(&self) -> [(String, String); 3] {
        [("HOME", self.home), ("USER", self.name), ("LOGNAME", self.name)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    /// The command and the folder that the guest is asked for, to run something as them there. For root that is by asking the guest,
    /// as anybody in there does: it is started where everybody may be, and goes to its folder as root.
    pub fn runs(
        &self,
        argv: Vec<String>,
        cwd: String,
        environment: &BTreeMap<String, String>,
    ) -> (Vec<String>, Option<String>) {
        const GO: &str = r#"cd -- "$0" && exec "$@""#;
        if !self.is_root {
            return (argv, Some(cwd));
        }
        // By its path: what a program is started with may name other folders.
        let mut all = vec![inside::SUDO.to_owned(), "-E".into(), "--".into()];
        // What sudo would say of root otherwise.
        let named = ["HOME", "USER", "LOGNAME"].iter().filter_map(|name| environment.get_key_value(*name));
        all.extend(named.map(|(name, value)| format!("{name}={value}")));
        all.extend(["/bin/sh", "-c", GO].map(str::to_owned));
        all.push(cwd);
        all.extend(argv);
        (all, None)
    }
}

impl Shared {
    pub(super) fn lent_user(&self, name: Option<&str>) -> Option<LentUser> {
        let has_root = self.provider.capabilities().root_inside;
        match name.unwrap_or_default() {
            "" | USER | inside::USER if has_root => Some(LentUser { is_root: false, name: USER, home: HOME }),
            "" | USER | inside::USER => {
                Some(LentUser { is_root: false, name: inside::USER, home: inside::HOME })
            }
            "root" if has_root => Some(LentUser { is_root: true, name: "root", home: "/root" }),
            _ => None,
        }
    }
}

impl Engine {
    /// Whom a name stands for in a lent sandbox; no name is everybody's user. `None` where there is nobody of this name.
    pub fn lent_user(&self, name: Option<&str>) -> Option<LentUser> {
        self.shared.lent_user(name)
    }
}
