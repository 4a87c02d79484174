//! Chance, from the kernel.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// 32 digits of sixteen kinds, which nobody can guess.
pub(crate) fn text() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    if getrandom(&mut bytes, GetRandomFlags::empty())? != bytes.len() {
        return Err(io::Error::other("the system gives no random bytes"));
    }
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
