//! Gives back the memory of code that runs at the start only.
//!
//! The kernel maps whole neighbourhoods of each function that is called, so that most of the program counts as in memory once a server has
//! started, though it then needs an eighth of that. What is needed again is mapped again, from the page cache.

use rustix::mm::{Advice, madvise};
use std::convert::Infallible;
use std::ffi::c_void;
use std::ops::Range;
use std::time::Duration;

/// Until what happens after the first answer is over.
const STARTED: Duration = Duration::from_secs(1);

/// Does so once the start is over, and then waits for ever.
pub(crate) async fn give_back_after_start() -> Infallible {
    tokio::time::sleep(STARTED).await;
    if let Err(error) = give_back() {
        tracing::debug!(%error, "the code of the start stays in memory");
    }
    std::future::pending().await
}

fn give_back() -> std::io::Result<()> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let here = give_back as fn() -> std::io::Result<()> as usize;
    let Some(code) = code_around(&maps, here) else { return Ok(()) };
    // SAFETY: the pages can be executed and not written, and nothing has written to them, so that they are the file's: dropping them changes
    // no byte, and whoever runs one of them, this function too, has it from the file again.
    unsafe { madvise(code.start as *mut c_void, code.len(), Advice::LinuxDontNeed) }?;
    Ok(())
}

/// The mapping of a file that can be executed and not written, and has this address.
fn code_around(maps: &str, address: usize) -> Option<Range<usize>> {
    maps.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        let of_a_file = fields.next()? == "r-xp" && fields.nth(3)?.starts_with('/');
        (of_a_file && (start..end).contains(&address)).then_some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::code_around;

    const MAPS: &str = "1000-2000 r--p 00000000 fe:00 7 /usr/bin/lamplight\n2000-5000 r-xp 00001000 fe:00 7 /usr/bin/lamplight\n\
                        5000-6000 rw-p 00004000 fe:00 7 /usr/bin/lamplight\n6000-7000 rwxp 00005000 fe:00 7 /usr/bin/lamplight\n\
                        8000-9000 r-xp 00000000 00:00 0 [vdso]\n";

    #[test]
    fn only_code_of_a_file_that_nobody_can_write_is_given_back() {
        assert_eq!(code_around(MAPS, 0x2000), Some(0x2000..0x5000));
        assert_eq!(code_around(MAPS, 0x4fff), Some(0x2000..0x5000));
        for other in [0x1000, 0x5000, 0x6000, 0x8000, 0x9000] {
            assert_eq!(code_around(MAPS, other), None, "{other:x}");
        }
    }
}
