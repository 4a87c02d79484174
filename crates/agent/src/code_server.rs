//! VS Code for a browser: code-server, in the tools directory beside the agents.
//!
//! ```text
//! npm install code-server ──▶ its checksum is the known one ──▶ npm install in lib/vscode and its extensions ──▶ in its place
//! ```
//!
//! The package leaves the last step to a script of its own, which builds native modules. No package's script is run here: what VS Code
//! needs of these comes built with its packages (terminals, watching of files), and it does without the others (its own log files).

use crate::catalogue::{Launch, Machine, Package};
use crate::install::{
    InstallError, NODE, Progress, io_error, lock, node_package, npm_install, put, remove, version_of,
};
use serde_json::{Value, json};
use std::path::Path;

/// What people type, the npm package, and the directory under the tools directory.
pub const NAME: &str = "code-server";

const PACKAGE: Package = Package { name: NAME, version: "4.139.1", machine: Machine::Any };
/// Of the package, as npm gives it; in the package are the checksums of what it needs.
const INTEGRITY: &str =
    "sha512-fUYvJVdz4ZoVJfakGiGWXFMpF8K1ObsrpGvX17ZxNpKOzdNHs7lANT670JTr4ZhA8DnWqyvvmFG/d3HV9Yy6ew==";
/// Packages inside of the package, with lists of their own of what they need.
const INNER: [&str; 2] = ["lib/vscode", "lib/vscode/extensions"];
/// 190 MB that serve assistants only, which are switched off.
const NOT_NEEDED: [&str; 2] =
    ["lib/vscode/node_modules/@github", "lib/vscode/node_modules/@microsoft/mxc-sdk"];

/// VS Code's page, to which is added what it needs in a frame: see the script.
const PAGE: &str = "lib/vscode/out/vs/code/browser/workbench/workbench.html";
const HEAD: &str = "<head>";
/// As its server lets its own scripts run.
const NONCE: &str = r#"nonce="{{WORKBENCH_SCRIPT_NONCE}}""#;
const STORAGE: &str = include_str!("code_server/storage.js");

/// The version that is completely installed, with the Node that it runs on.
pub fn installed(tools_dir: &Path) -> Option<String> {
    version_of(tools_dir, NODE, &node_package()?)?;
    version_of(tools_dir, NAME, &PACKAGE)
}

/// Installs it, and Node, in exactly the known version. Safe to call again, and beside running sandboxes.
pub async fn install(tools_dir: &Path, progress: impl FnMut(Progress) + Send) -> Result<(), InstallError> {
    install_with(Path::new("npm"), tools_dir, progress).await
}

/// The same with an npm that is not the one in PATH.
pub async fn install_with(
    npm: &Path,
    tools_dir: &Path,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<(), InstallError> {
    let node = node_package().ok_or_else(|| InstallError::NoPackage { agent: NAME.to_owned() })?;
    // Unlocked when it is closed, at the latest with this process.
    let _lock = lock(tools_dir)?;
    put(npm, tools_dir, NODE, &[node], async |_| Ok(()), &mut progress).await?;
    put(npm, tools_dir, NAME, &[PACKAGE], async |new| complete(npm, new).await, &mut progress).await
}

async fn complete(npm: &Path, directory: &Path) -> Result<(), InstallError> {
    // Where npm writes down what it has installed.
    let list = directory.join("node_modules/.package-lock.json");
    let list = tokio::fs::read(&list).await.map_err(|error| io_error(&list, error))?;
    let list: Value = serde_json::from_slice(&list).unwrap_or_default();
    if list["packages"][format!("node_modules/{NAME}")]["integrity"] != INTEGRITY {
        return Err(InstallError::Changed { package: format!("{NAME}@{}", PACKAGE.version) });
    }
    let package = directory.join("node_modules").join(NAME);
    for inner in INNER {
        npm_install(npm, &package.join(inner), &[]).await?;
    }
    for not_needed in NOT_NEEDED {
        remove(&package.join(not_needed)).await?;
    }
    let page = package.join(PAGE);
    let text = tokio::fs::read_to_string(&page).await.map_err(|error| io_error(&page, error))?;
    let text = text.replacen(HEAD, &format!("{HEAD}<script {NONCE}>{STORAGE}</script>"), 1);
    tokio::fs::write(&page, text).await.map_err(|error| io_error(&page, error))
}

/// How it is started in a sandbox: at `port` of loopback, where it asks nobody who they are, with `folder` open. It ends by itself when
/// nobody has had it open for half an hour. All paths are those inside.
pub fn launch(tools_dir: &str, home: &str, folder: &str, port: u16) -> Launch {
    let machine = Machine::here().unwrap_or(Machine::X64).npm();
    let data = format!("{home}/.local/share/code-server");
    let program = [
        format!("{tools_dir}/{NODE}/node_modules/node-linux-{machine}/bin/node"),
        format!("{tools_dir}/{NAME}/node_modules/{NAME}/out/node/entry.js"),
    ];
    let address = format!("127.0.0.1:{port}");
    let options = [
        "--auth",
        "none",
        "--bind-addr",
        &address,
        "--config",
        "/dev/null",
        "--user-data-dir",
        &data,
        "--idle-timeout-seconds",
        IDLE_SECONDS,
        "--disable-telemetry",
        "--disable-update-check",
        "--disable-workspace-trust",
        "--disable-getting-started-override",
        "--disable-proxy",
        folder,
    ];
    // What it prints is for whoever looks why it does not start, and must not fill what keeps processes' output.
    let shell = ["/bin/sh", "-c", r#"mkdir -p "$0" && exec "$@" > "$0/log" 2>&1"#, &data];
    let words = shell.into_iter().map(str::to_owned);
    let argv = words.chain(program).chain(options.into_iter().map(str::to_owned)).collect();
    // The browser would ask the gallery by itself, past the session's network policy.
    let no_gallery = json!({ "serviceUrl": "", "itemUrl": "", "resourceUrlTemplate": "" });
    Launch {
        argv,
        env: vec![("EXTENSIONS_GALLERY".to_owned(), no_gallery.to_string())],
        home_files: vec![(SETTINGS.to_owned(), settings().to_string())],
    }
}

/// After the last browser has left.
const IDLE_SECONDS: &str = "1800";

/// The person's settings, relative to HOME.
const SETTINGS: &str = ".local/share/code-server/User/settings.json";

/// What a session's VS Code begins with: nothing is asked of anybody outside, and the page is the folder's.
fn settings() -> Value {
    json!({
        "chat.disableAIFeatures": true,
        "extensions.autoCheckUpdates": false,
        "extensions.autoUpdate": false,
        "npm.fetchOnlinePackageInfo": false,
        "telemetry.telemetryLevel": "off",
        "update.mode": "none",
        "window.autoDetectColorScheme": true,
        "workbench.enableExperiments": false,
        "workbench.secondarySideBar.defaultVisibility": "hidden",
        "workbench.startupEditor": "none",
    })
}
