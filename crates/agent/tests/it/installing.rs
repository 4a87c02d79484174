//! Installing, with a program in the place of npm that does what npm does, or fails in npm's words.

use lamplight_agent::catalogue::{Configured, Package};
use lamplight_agent::install::{self, InstallError, Progress};
use lamplight_agent::{Agent, Catalogue, code_server};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Makes the packages that it is asked for, and refuses to be called in any other way than the one that is safe.
const NPM: &str = r#"#!/bin/sh
set -e
[ "$1" = install ] && [ "$2" = --ignore-scripts ] || { echo "npm error refused: $*" >&2; exit 9; }
while [ "$1" != --prefix ]; do shift; done
prefix=$2; shift 2
for spec in "$@"; do
    name=${spec%@*}; version=${spec##*@}
    mkdir -p "$prefix/node_modules/$name"
    echo "{\"name\":\"$name\",\"version\":\"$version\"}" > "$prefix/node_modules/$name/package.json"
done
"#;

struct Machine {
    directory: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn tools(&self) -> PathBuf {
        self.directory.path().join("tools")
    }

    fn npm(&self, script: &str) -> PathBuf {
        let path = self.directory.path().join("npm");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn install(&self, npm: &Path, agent: &Agent) -> (Result<(), InstallError>, Vec<Progress>) {
        let mut steps = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result =
            runtime.block_on(install::install_with(npm, &self.tools(), agent, |step| steps.push(step)));
        (result, steps)
    }

    fn install_code(&self, npm: &Path) -> Result<(), InstallError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(code_server::install_with(npm, &self.tools(), |_| ()))
    }

    fn entries(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.tools())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".lock")
            .collect();
        names.sort();
        names
    }
}

fn agent(name: &str) -> Agent {
    Catalogue::built_in().get(name).unwrap().clone()
}

#[test]
fn an_agent_on_node_is_installed_once_with_its_node() {
    let machine = Machine::new();
    let npm = machine.npm(NPM);
    let claude = agent("claude");
    assert_eq!(install::installed(&machine.tools(), &claude), None);

    let (result, steps) = machine.install(&npm, &claude);
    result.unwrap();
    let fetched: Vec<_> = steps.iter().filter(|step| matches!(step, Progress::Fetching { .. })).collect();
    assert_eq!(fetched.len(), 2, "{steps:?}");
    assert_eq!(install::installed(&machine.tools(), &claude).as_deref(), Some("0.100.0"));
    assert!(install::is_current(&machine.tools(), &claude));
    assert_eq!(machine.entries(), ["claude", "node"]);

    let (result, steps) = machine.install(Path::new("/no/such/npm"), &claude);
    result.unwrap();
    assert!(steps.iter().all(|step| matches!(step, Progress::AlreadyThere { .. })), "{steps:?}");
}

#[test]
fn another_version_replaces_the_old_one_whole() {
    let machine = Machine::new();
    let npm = machine.npm(NPM);
    let mut claude = agent("claude");
    let current = claude.packages.clone();
    claude.packages = vec![Package { version: "0.0.1", ..current[0] }];
    machine.install(&npm, &claude).0.unwrap();
    claude.packages = current;
    let tools = machine.tools();
    assert_eq!(install::installed(&tools, &claude).as_deref(), Some("0.0.1"));
    assert!(!install::is_current(&tools, &claude));

    // What a killed process left behind is in nobody's way.
    std::fs::create_dir_all(tools.join(".new-claude/half")).unwrap();
    std::fs::create_dir_all(tools.join(".old-claude/half")).unwrap();
    machine.install(&npm, &claude).0.unwrap();
    assert!(install::is_current(&tools, &claude));
    assert_eq!(machine.entries(), ["claude", "node"]);
}

#[test]
fn failures_say_what_to_do_and_leave_nothing() {
    let codex = agent("codex");
    let check = |script: &str, expected: &str| {
        let machine = Machine::new();
        let (result, _) = machine.install(&machine.npm(script), &codex);
        let said = result.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        assert_eq!(machine.entries(), [""; 0]);
    };
    check("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2; exit 1", "check the network");
    check("#!/bin/sh\necho 'npm error nospc ENOSPC: no space left on device' >&2; exit 1", "make room");
    check("#!/bin/sh\necho 'npm error 404 Not Found' >&2; exit 1", "404 Not Found");

    let machine = Machine::new();
    let (result, _) = machine.install(Path::new("/no/such/npm"), &codex);
    assert!(matches!(result, Err(InstallError::NoNpm)));
}

#[test]
fn one_installation_at_a_time() {
    let machine = Machine::new();
    std::fs::create_dir_all(machine.tools()).unwrap();
    let lock = std::fs::File::create(machine.tools().join(".lock")).unwrap();
    lock.lock().unwrap();
    let npm = machine.npm(NPM);
    assert!(matches!(machine.install(&npm, &agent("claude")).0, Err(InstallError::Busy)));
    lock.unlock().unwrap();
    machine.install(&npm, &agent("claude")).0.unwrap();
}

#[test]
fn what_we_have_no_package_for_is_not_installed() {
    let machine = Machine::new();
    let mut catalogue = Catalogue::built_in();
    let (name, command) = ("mine".to_owned(), "/mine".to_owned());
    let mine = Configured { name, command, title: None, arguments: vec![], environment: BTreeMap::new() };
    catalogue.add(mine).unwrap();
    let (result, _) = machine.install(Path::new("npm"), catalogue.get("mine").unwrap());
    assert!(matches!(result, Err(InstallError::NotOurs { .. })));
}

/// Also says what it has installed, as npm does, and remembers where.
fn npm_of_code(integrity: &str) -> String {
    NPM.replace(
        "prefix=$2; shift 2\n",
        &format!(
            "prefix=$2; shift 2\nvscode=$prefix/node_modules/code-server/lib/vscode\necho \"$prefix\" >> \"$(dirname \"$0\")/asked\"\nmkdir -p \"$prefix/node_modules/@github\" \"$vscode/extensions\" \"$vscode/out/vs/code/browser/workbench\"\n\
             echo '<html><head></head>' > \"$vscode/out/vs/code/browser/workbench/workbench.html\"\n\
             echo '{{\"packages\":{{\"node_modules/code-server\":{{\"integrity\":\"{integrity}\"}}}}}}' > \"$prefix/node_modules/.package-lock.json\"\n"
        ),
    )
}

#[test]
fn code_server_is_what_was_seen_to_work_with_all_that_it_needs() {
    let known =
        "sha512-fUYvJVdz4ZoVJfakGiGWXFMpF8K1ObsrpGvX17ZxNpKOzdNHs7lANT670JTr4ZhA8DnWqyvvmFG/d3HV9Yy6ew==";
    let machine = Machine::new();
    let npm = machine.npm(&npm_of_code(known));
    assert_eq!(code_server::installed(&machine.tools()), None);
    machine.install_code(&npm).unwrap();
    assert_eq!(code_server::installed(&machine.tools()).as_deref(), Some("4.139.1"));
    assert_eq!(machine.entries(), ["code-server", "node"]);
    let asked = std::fs::read_to_string(machine.directory.path().join("asked")).unwrap();
    let asked: Vec<_> = asked.lines().map(|line| line.rsplit("/.new-").next().unwrap()).collect();
    let package = "code-server/node_modules/code-server/lib/vscode";
    assert_eq!(asked, ["node", "code-server", package, &format!("{package}/extensions")]);
    let package = machine.tools().join(package).join("node_modules");
    assert!(package.join(".package-lock.json").exists() && !package.join("@github").exists());
    let page = package.parent().unwrap().join("out/vs/code/browser/workbench/workbench.html");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with(r#"<html><head><script nonce="{{WORKBENCH_SCRIPT_NONCE}}">"#), "{page}");
    machine.install_code(Path::new("/no/such/npm")).unwrap();

    // The same name and version, and something else in it.
    let machine = Machine::new();
    let npm = machine.npm(&npm_of_code("sha512-AAAA"));
    let refused = machine.install_code(&npm).unwrap_err();
    assert!(
        matches!(&refused, InstallError::Changed { package } if package == "code-server@4.139.1"),
        "{refused}"
    );
    assert_eq!(machine.entries(), ["node"]);
}
