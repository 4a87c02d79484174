//! System calls by number: many of those that attack something have no wrapper anywhere.

use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{FromRawFd, OwnedFd};

/// One argument, valid for as long as what it points at.
#[derive(Clone, Copy)]
pub(crate) struct Argument<'a>(usize, PhantomData<&'a ()>);

pub(crate) const NULL: Argument<'static> = Argument(0, PhantomData);

macro_rules! from_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Argument<'_> {
            fn from(number: $number) -> Self {
                Self(number as usize, PhantomData)
            }
        }
    )*};
}
from_numbers!(i32, u32, i64, u64, usize);

impl<'a> From<&'a CStr> for Argument<'a> {
    fn from(text: &'a CStr) -> Self {
        Self(text.as_ptr() as usize, PhantomData)
    }
}

/// Whatever the kernel reads there or writes there.
pub(crate) fn at<T>(value: &mut T) -> Argument<'_> {
    Argument(std::ptr::from_mut(value) as usize, PhantomData)
}

/// The call, and what it returned.
pub(crate) fn call(number: libc::c_long, arguments: &[Argument<'_>]) -> io::Result<i64> {
    let argument = |n: usize| arguments.get(n).map_or(0, |argument| argument.0);
    // SAFETY: pointers are to what their arguments borrow; the kernel answers EFAULT to all others. No attempt names a
    // call that changes the memory of its own process in any other way.
    let result = unsafe {
        libc::syscall(number, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5))
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A call that returns a new descriptor.
pub(crate) fn descriptor(number: libc::c_long, arguments: &[Argument<'_>]) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(call(number, arguments)?).map_err(io::Error::other)?;
    // SAFETY: it is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Splits off a process that does `work` and ends; its number.
pub(crate) fn fork(work: impl FnOnce()) -> io::Result<i32> {
    // SAFETY: this program has one thread, so that the copy finds every lock free.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            work();
            exit(0)
        }
        child => Ok(child),
    }
}

/// Ends this process at once, with nothing flushed and nothing run.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: no memory is touched.
    unsafe { libc::_exit(status) }
}

/// Waits for ever, until a signal ends this process.
pub(crate) fn rest() -> ! {
    loop {
        // SAFETY: no memory is touched.
        unsafe { libc::pause() };
    }
}

/// How a child ended, once it has.
pub(crate) fn wait(child: i32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    match rustix::io::retry_on_intr(|| match unsafe { libc::waitpid(child, &raw mut status, 0) } {
        -1 => {
            Err(rustix::io::Errno::from_io_error(&io::Error::last_os_error())
                .unwrap_or(rustix::io::Errno::IO))
        }
        pid => Ok(pid),
    }) {
        Ok(_) => Ok(status),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn kill(process: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is touched.
    match unsafe { libc::kill(process, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
