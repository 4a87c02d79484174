//! Terminals: putting words into the mouth of whoever sits at one.

use crate::attempt::{Attempt, Needed, REFUSED, Stop};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Not in the libc crate. Source: ioctl_console(2).
const TIOCLINUX: libc::Ioctl = 0x541c;

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("type at its terminal (TIOCSTI)", REFUSED, |_| {
        let (_main, side) = terminal()?;
        ask(side.as_raw_fd(), libc::TIOCSTI, &mut b'x')?;
        Ok("typed".into())
    }),
    Attempt::new("speak with the screen's driver (TIOCLINUX)", REFUSED, |_| {
        // Asks for the state of the shift keys.
        let mut shift_state = 6_u8;
        let screen = File::options().read(true).write(true).open("/dev/tty1");
        match screen {
            Ok(screen) => ask(screen.as_raw_fd(), TIOCLINUX, &mut shift_state)?,
            Err(_) => ask(terminal()?.1.as_raw_fd(), TIOCLINUX, &mut shift_state)?,
        }
        Ok("answered".into())
    }),
];

/// A terminal of its own, which it also sits at.
fn terminal() -> Result<(File, File), Stop> {
    // The terminal ends with its descriptors, and would take this process with it.
    // SAFETY: no handler is set.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    let main = File::options().read(true).write(true).open("/dev/ptmx").needed("a terminal")?;
    ask(main.as_raw_fd(), libc::TIOCSPTLCK, &mut 0_i32).needed("unlock a terminal")?;
    let mut number = 0_u32;
    // SAFETY: the kernel writes the number, which outlives the call.
    if unsafe { libc::ioctl(main.as_raw_fd(), libc::TIOCGPTN, &raw mut number) } != 0 {
        return Err(io::Error::last_os_error()).needed("the terminal's number");
    }
    // To open it is to sit at it, for one who leads a session and has no terminal yet.
    let side = File::options().read(true).write(true).open(format!("/dev/pts/{number}"));
    Ok((main, side.needed("the terminal's other side")?))
}

fn ask<T>(terminal: RawFd, what: libc::Ioctl, argument: &mut T) -> io::Result<()> {
    // SAFETY: the argument outlives the call, and is at least what the kernel reads and writes for this ioctl.
    match unsafe { libc::ioctl(terminal, what, std::ptr::from_mut(argument)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
