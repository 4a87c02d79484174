//! Files that people give along with a prompt.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Files of one prompt.
pub const MAX_ATTACHMENTS: usize = 10;
/// Bytes of a file's name.
const NAME_BYTES: usize = 100;
/// Digits of a content's name that keep two files of one name apart.
const FOLDER_DIGITS: usize = 12;

/// One file, kept under the name of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = log::Attachment)]
pub struct Attachment {
    /// SHA-256 of what is in it, in sixty-four hexadecimal digits.
    pub blob: String,
    /// See [`file_name`].
    pub name: String,
    /// As its content says, such as `image/png`; `application/octet-stream` where that says nothing.
    pub media_type: String,
    pub bytes: u64,
}

impl Attachment {
    pub fn is_image(&self) -> bool {
        self.media_type.starts_with("image/")
    }

    /// Where it is put in a sandbox, below the agent's home: outside of the repository, so that no commit takes it along.
    pub fn path(&self, home: &str) -> String {
        let folder = self.blob.get(..FOLDER_DIGITS).unwrap_or(&self.blob);
        format!("{home}/attachments/{folder}/{}", self.name)
    }
}

/// What a file may be called here, from whatever a browser or a shell calls it: its last part, letters, digits, spaces and a few
/// signs; nothing that a path, a shell or an eye could take for something else.
pub fn file_name(told: &str) -> String {
    let last = told.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |character: char| match character {
        ' ' | '.' | '-' | '_' | '+' | '@' | '(' | ')' | ',' => character,
        other if other.is_alphanumeric() => other,
        _ => '_',
    };
    let name: String = last.chars().map(plain).collect();
    let name = name.trim_start_matches(['.', '-', ' ']).trim_end_matches(['.', ' ']);
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.len() < NAME_BYTES / 2 => {
            (stem, format!(".{ending}"))
        }
        _ => (name, String::new()),
    };
    let room = NAME_BYTES - ending.len();
    let cut = (0..=stem.len().min(room)).rev().find(|at| stem.is_char_boundary(*at)).unwrap_or(0);
    match &stem[..cut] {
        "" => "file".to_owned(),
        stem => format!("{stem}{ending}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path_and_says_what_it_is() {
        for (told, name) in [
            ("shot 1.png", "shot 1.png"),
            ("C:\\Users\\ada\\Bild (2).jpg", "Bild (2).jpg"),
            ("../../etc/passwd", "passwd"),
            ("/etc/", "file"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("..", "file"),
            ("a\nb\u{202e}gnp.exe", "a_b_gnp.exe"),
            ("$(reboot)`;\"'.txt", "_(reboot)____.txt"),
            ("größe.csv", "größe.csv"),
            ("", "file"),
        ] {
            assert_eq!(file_name(told), name, "{told:?}");
        }
        let long = file_name(&format!("{}.png", "ä".repeat(200)));
        assert!(long.len() <= NAME_BYTES && long.ends_with("ä.png"), "{long}");
    }
}
