//! How often a sandbox was over a limit, and whether it is: a file in its folder with a number, and a line's end once it is over.

use std::fs;
use std::io;
use std::path::Path;

/// Counts one more time, unless one lasts already.
pub(super) fn begin(file: &Path) -> io::Result<()> {
    let times: u64 = match fs::read_to_string(file) {
        Ok(text) if !text.ends_with('\n') => return Ok(()),
        Ok(text) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    };
    fs::write(file, (times + 1).to_string())
}

pub(super) fn lasts(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| !text.ends_with('\n'))
}

pub(super) fn end(file: &Path) -> io::Result<()> {
    match fs::read_to_string(file) {
        Ok(text) if !text.ends_with('\n') => fs::write(file, format!("{text}\n")),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn times(file: &Path) -> u64 {
    fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_counted_once_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("full");
        assert_eq!(times(&full), 0);
        begin(&full).unwrap();
        begin(&full).unwrap();
        assert!(lasts(&full));
        assert_eq!(times(&full), 1);
        end(&full).unwrap();
        end(&full).unwrap();
        assert!(!lasts(&full));
        assert_eq!(times(&full), 1);
        begin(&full).unwrap();
        assert_eq!(times(&full), 2);
    }
}
