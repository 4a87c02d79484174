//! Paths as clients say them: absolute, or below the home of the user. Where they lead is for the sandbox, which nothing leads out of.

/// Of a path.
const LONGEST: usize = 4096;

/// The absolute path without `.`, `..` and empty parts; `None` of what is no path.
pub(super) fn absolute(said: &str, home: &str) -> Option<String> {
    if said.len() > LONGEST || said.contains('\0') {
        return None;
    }
    let whole = match said {
        "" | "~" => home.to_owned(),
        _ => match said.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None if said.starts_with('/') => said.to_owned(),
            None => format!("{home}/{said}"),
        },
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// One name below a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") }
}

/// The last part; `/` of the root.
pub(super) fn name(path: &str) -> &str {
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_below_the_home_unless_they_say_otherwise() {
        for (said, path) in [
            ("", "/home/user"),
            ("~", "/home/user"),
            ("~/a", "/home/user/a"),
            ("a/./b//c/", "/home/user/a/b/c"),
            ("/etc/../tmp/x", "/tmp/x"),
            ("../../../../etc/passwd", "/etc/passwd"),
            ("/", "/"),
            ("~other", "/home/user/~other"),
        ] {
            assert_eq!(absolute(said, "/home/user").as_deref(), Some(path), "{said}");
        }
        assert_eq!(absolute("a\0b", "/"), None);
        assert_eq!(absolute(&"a/".repeat(3000), "/"), None);
        assert_eq!((name("/a/b"), name("/"), join("/", "a")), ("b", "/", "/a".into()));
    }
}
