//! Reads what `git diff` writes, file by file. Source of the format: git-diff(1), "Generating patch text with -p".

use serde::Serialize;

/// One file's part of a diff.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    pub path: String,
    pub old_path: Option<String>,
    pub status: FileStatus,
    /// Six octal digits, as git has them: what the file was before, and is now, where that is another thing.
    pub old_mode: Option<String>,
    pub new_mode: Option<String>,
    pub insertions: u32,
    pub deletions: u32,
    pub binary: bool,
    /// Unified hunks, from the first `@@`.
    pub patch: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    Added,
    #[default]
    Modified,
    Deleted,
    Renamed,
}

/// What makes git write what is read here, whatever the person's own configuration says.
pub(crate) const ARGUMENTS: &[&str] = &[
    "diff",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--find-renames",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
    "--inter-hunk-context=0",
];

/// The files of a patch, in its order.
pub(crate) fn parse(patch: &str) -> Vec<FileDiff> {
    let mut files: Vec<FileDiff> = Vec::new();
    let mut in_hunks = false;
    for line in patch.split_inclusive('\n') {
        let text = line.trim_end_matches('\n');
        if let Some(names) = text.strip_prefix("diff --git ") {
            in_hunks = false;
            files.push(FileDiff { path: second_name(names), ..FileDiff::default() });
            continue;
        }
        let Some(file) = files.last_mut() else { continue };
        if in_hunks || text.starts_with("@@") {
            in_hunks = true;
            file.insertions += u32::from(text.starts_with('+'));
            file.deletions += u32::from(text.starts_with('-'));
            file.patch.push_str(line);
        } else {
            header(file, text);
        }
    }
    files
}

fn header(file: &mut FileDiff, text: &str) {
    let side = |told: &str, side: &str| {
        unquoted(told.trim_end_matches('\t')).strip_prefix(side).map(ToOwned::to_owned)
    };
    if let Some(mode) = text.strip_prefix("new file mode ") {
        file.status = FileStatus::Added;
        file.new_mode = unusual(mode);
    } else if let Some(mode) = text.strip_prefix("deleted file mode ") {
        file.status = FileStatus::Deleted;
        file.old_mode = unusual(mode);
    } else if let Some(mode) = text.strip_prefix("old mode ") {
        file.old_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("new mode ") {
        file.new_mode = Some(mode.to_owned());
    } else if let Some(old) = text.strip_prefix("rename from ") {
        file.status = FileStatus::Renamed;
        file.old_path = Some(unquoted(old));
    } else if let Some(new) = text.strip_prefix("rename to ") {
        file.path = unquoted(new);
    } else if text.starts_with("Binary files ") {
        file.binary = true;
    } else if let Some(new) = text.strip_prefix("+++ ").and_then(|new| side(new, "b/")) {
        file.path = new;
    } else if let Some(old) = text.strip_prefix("--- ").and_then(|old| side(old, "a/")) {
        file.path = old;
    }
}

/// That a new or deleted file is an ordinary one need not be said.
fn unusual(mode: &str) -> Option<String> {
    (mode != "100644").then(|| mode.to_owned())
}

/// `a/x b/x`: both names are the same here, so the second is the second half.
fn second_name(names: &str) -> String {
    let half = names.get(names.len() / 2 + 1..).map(unquoted);
    half.and_then(|second| second.strip_prefix("b/").map(ToOwned::to_owned))
        .unwrap_or_else(|| names.to_owned())
}

/// A name with quotes, backslashes or control characters in it is quoted as strings are in C.
fn unquoted(name: &str) -> String {
    let Some(inside) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside.bytes();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        match escaped {
            None => bytes.push(byte),
            Some(b'a') => bytes.push(7),
            Some(b'b') => bytes.push(8),
            Some(b't') => bytes.push(b'\t'),
            Some(b'n') => bytes.push(b'\n'),
            Some(b'v') => bytes.push(11),
            Some(b'f') => bytes.push(12),
            Some(b'r') => bytes.push(b'\r'),
            Some(first @ b'0'..=b'3') => {
                let digit = |byte: Option<u8>| byte.map_or(0, |byte| byte.wrapping_sub(b'0') & 7);
                let (second, third) = (digit(rest.next()), digit(rest.next()));
                bytes.push((first - b'0') << 6 | second << 3 | third);
            }
            Some(other) => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_read_file_by_file() {
        let patch = "diff --git a/a b.txt b/a b.txt\nindex 1..2 100644\n--- a/a b.txt\t\n+++ b/a b.txt\t\n@@ -1,2 +1,2 @@\n-one\n+--- two\n same\n\
                     diff --git a/old.rs b/new.rs\nsimilarity index 100%\nrename from old.rs\nrename to new.rs\n\
                     diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n\
                     diff --git a/pic.png b/pic.png\nnew file mode 100644\nBinary files /dev/null and b/pic.png differ\n";
        let files = parse(patch);
        let short: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.status, file.insertions, file.deletions, file.binary))
            .collect();
        assert_eq!(
            short,
            [
                ("a b.txt", FileStatus::Modified, 1, 1, false),
                ("new.rs", FileStatus::Renamed, 0, 0, false),
                ("gone", FileStatus::Deleted, 0, 1, false),
                ("pic.png", FileStatus::Added, 0, 0, true),
            ]
        );
        assert_eq!(files[1].old_path.as_deref(), Some("old.rs"));
        assert!(files[0].patch.starts_with("@@ -1,2"));
    }

    #[test]
    fn modes_are_told_where_they_say_something() {
        let patch = "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n\
                     diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n\
                     diff --git a/plain b/plain\nnew file mode 100644\n";
        let files = parse(patch);
        let modes: Vec<_> = files
            .iter()
            .map(|file| (file.path.as_str(), file.old_mode.as_deref(), file.new_mode.as_deref()))
            .collect();
        assert_eq!(
            modes,
            [("run", Some("100644"), Some("100755")), ("link", None, Some("120000")), ("plain", None, None)]
        );
    }

    #[test]
    fn hostile_names_are_what_they_are() {
        let patch = "diff --git \"a/tab\\tnew\\nline\" \"b/tab\\tnew\\nline\"\nnew file mode 100644\n\
                     diff --git \"a/quote\\\"\\\\\" \"b/quote\\\"\\\\\"\n--- \"a/quote\\\"\\\\\"\n+++ \"b/quote\\\"\\\\\"\n@@ -1 +1 @@\n-a\n+b\n\
                     diff --git a/x b/x b/x b/x\nnew file mode 100755\n\
                     diff --git \"a/\\033[31mred\" \"b/\\033[31mred\"\nnew file mode 100644\n\
                     diff --git a/größe b/größe\nnew file mode 100644\n";
        let names: Vec<_> = parse(patch).into_iter().map(|file| file.path).collect();
        assert_eq!(names, ["tab\tnew\nline", "quote\"\\", "x b/x", "\u{1b}[31mred", "größe"]);
    }
}
