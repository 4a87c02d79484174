//! The kernel's keyrings, which know users and no sandboxes.

use crate::attempt::{Attempt, REFUSED, beyond};
use crate::call::{NULL, call};

/// The keyring of the user, which all processes with the same number share. Source: keyctl(2).
const USER_KEYRING: i32 = -4;

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("leave a key with the user", REFUSED, |_| {
        let arguments = [c"user".into(), c"lamplight".into(), c"x".into(), 1.into(), USER_KEYRING.into()];
        beyond(call(libc::SYS_add_key, &arguments), &[])
    }),
    Attempt::new("look for a key of somebody else", REFUSED, |_| {
        let arguments = [c"user".into(), c"lamplight-none".into(), NULL, 0.into()];
        beyond(call(libc::SYS_request_key, &arguments), &[libc::ENOKEY])
    }),
    Attempt::new("use keyrings", REFUSED, |_| {
        const GET_KEYRING_ID: i32 = 0;
        beyond(call(libc::SYS_keyctl, &[GET_KEYRING_ID.into(), USER_KEYRING.into(), 1.into()]), &[])
    }),
];
