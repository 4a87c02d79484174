//! Gives back the memory of what the start only needs of the program's file.
//!
//! The kernel maps whole neighbourhoods of each function that is called and each constant that is read, so that most of the program counts
//! as in memory once a server has started, though it then needs an eighth of that. What is needed again is mapped again, from the page cache.

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
        tracing::debug!(%error, "what the start needed stays in memory");
    }
    std::future::pending().await
}

fn give_back() -> std::io::Result<()> {
    for part in unchanged() {
        // SAFETY: nobody has written to these pages, so that they are the file's: dropping them changes no byte, and whoever needs one of
        // them, this function too, has it from the file again.
        unsafe { madvise(part.start as *mut c_void, part.len(), Advice::LinuxDontNeed) }?;
    }
    Ok(())
}

/// The parts of this program that are mapped so that nobody can write there, not even whoever put it in its place.
fn unchanged() -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    // SAFETY: the callback has the type that is asked for, and `parts` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(collect), (&raw mut parts).cast()) };
    parts
}

/// Of the program itself, which comes first.
unsafe extern "C" fn collect(object: *mut libc::dl_phdr_info, _: usize, parts: *mut c_void) -> i32 {
    // SAFETY: both are what `dl_iterate_phdr` promises: an object with as many headers as it says, and what it was given.
    let (object, parts) = unsafe { (&*object, &mut *parts.cast::<Vec<Range<usize>>>()) };
    // SAFETY: as above.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    let page = rustix::param::page_size();
    for header in
        headers.iter().filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0)
    {
        // Whole pages of its own only: a page at an edge may be of the neighbour, too.
        let start = (object.dlpi_addr + header.p_vaddr) as usize;
        let end = start + header.p_filesz as usize;
        let (start, end) = (start.next_multiple_of(page), end / page * page);
        if start < end {
            parts.push(start..end);
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    static WRITTEN: std::sync::Mutex<u32> = std::sync::Mutex::new(7);

    #[test]
    fn what_nobody_has_written_is_given_back_and_is_there_again() {
        let parts = unchanged();
        let has = |address: usize| parts.iter().any(|part| part.contains(&address));
        assert!(has(give_back as fn() -> std::io::Result<()> as usize), "code: {parts:x?}");
        assert!(!has(&raw const WRITTEN as usize), "what is written: {parts:x?}");
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        for part in &parts {
            let of = |line: &str| {
                let (range, rest) = line.split_once(' ')?;
                let (start, end) = range.split_once('-')?;
                let parse = |text| usize::from_str_radix(text, 16).ok();
                (parse(start)? <= part.start && part.end <= parse(end)?).then_some(rest.to_owned())
            };
            let how = maps.lines().find_map(of).expect("it is mapped as one");
            assert!(!how.starts_with("rw"), "{how}");
        }
        *WRITTEN.lock().unwrap() = 8;
        give_back().unwrap();
        assert_eq!(*WRITTEN.lock().unwrap(), 8);
        assert_eq!(unchanged(), parts);
    }
}
