//! Names of users and groups, from the sandbox's own files. Source: passwd(5), group(5).

use std::fs::read_to_string;

/// Who a command is to run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
    pub(super) shell: String,
}

impl User {
    /// By name, or by `#` and number as sudo(8) has it.
    pub(super) fn find(wanted: &str) -> Option<Self> {
        let passwd = read_to_string("/etc/passwd").unwrap_or_default();
        let group = read_to_string("/etc/group").unwrap_or_default();
        Self::among(wanted, &passwd, &group)
    }

    fn among(wanted: &str, passwd: &str, group: &str) -> Option<Self> {
        let number: Option<u32> = wanted.strip_prefix('#').and_then(|number| number.parse().ok());
        let mut all = passwd.lines().filter_map(Self::parse);
        let mut found = all.find(|user| user.name == wanted || Some(user.user) == number)?;
        found.groups = group.lines().filter_map(|line| member(line, &found.name)).collect();
        Some(found)
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split(':').collect();
        let &[name, _, user, group, _, home, shell] = fields.as_slice() else { return None };
        let (user, group) = (user.parse().ok()?, group.parse().ok()?);
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        Some(Self {
            name: name.into(),
            user,
            group,
            groups: Vec::new(),
            home: home.into(),
            shell: shell.into(),
        })
    }
}

/// The group's number, when `name` is a member.
fn member(line: &str, name: &str) -> Option<u32> {
    let fields: Vec<_> = line.split(':').collect();
    let &[_, _, number, members] = fields.as_slice() else { return None };
    members.split(',').any(|member| member == name).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let passwd = "torn\nroot:x:0:0:root:/root:/bin/bash\npostgres:x:110:113::/var/lib/postgresql:\n";
        let group = "ssl-cert:x:105:postgres,other\npostgres:x:113:\n";
        let check = |wanted: &str, user: Option<(u32, Vec<u32>, &str)>| {
            let found = User::among(wanted, passwd, group);
            let found = found.map(|user| (user.user, user.groups, user.shell));
            assert_eq!(found, user.map(|(user, groups, shell)| (user, groups, shell.to_owned())), "{wanted}");
        };
        check("root", Some((0, vec![], "/bin/bash")));
        check("postgres", Some((110, vec![105], "/bin/sh")));
        check("#110", Some((110, vec![105], "/bin/sh")));
        check("#7", None);
        check("nobody", None);
    }
}
