//! What a person would put in the gateway's place: a proxy of models, a web server before git, a web proxy.

use super::Bench;
use super::process::{Running, free_port};
use crate::command::{output_of, run};
use crate::missing::{self, Need, PYTHON};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest version of `litellm[proxy]` on PyPI whose parts are all there.
pub(super) const LITELLM: &str = "1.106.12";

const NGINX: Need =
    Need { program: "nginx", package: "nginx-light", why: "git http-backend is measured behind it" };
const FCGIWRAP: Need =
    Need { program: "fcgiwrap", package: "fcgiwrap", why: "nginx runs git http-backend by it" };
const TINYPROXY: Need =
    Need { program: "tinyproxy", package: "tinyproxy-bin", why: "the web proxy is measured beside it" };

/// Passes every model on to one upstream.
pub(super) fn litellm(bench: &Bench, upstream: &str) -> Result<Running> {
    let program = install_litellm(bench)?;
    let directory = bench.fresh("litellm")?;
    let port = free_port()?;
    let config = format!(
        "model_list:\n  - model_name: \"*\"\n    litellm_params:\n      model: \"openai/*\"\n      api_base: \"{upstream}\"\n      api_key: \"sk-key\"\n"
    );
    let file = directory.join("config.yaml");
    std::fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("--config").arg(file).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    // Or it asks the outside for its list of prices, and waits.
    command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True").env("LITELLM_LOG", "ERROR").current_dir(&directory);
    // It is asked by whoever is on this machine.
    command.env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true");
    Running::start(command, port, "/health/liveliness", &directory.join("log"))
}

/// From PyPI on first use, in that version.
fn install_litellm(bench: &Bench) -> Result<PathBuf> {
    let directory = bench.workspace.scratch().join("peers").join(format!("litellm@{LITELLM}"));
    let program = directory.join("bin/litellm");
    if !program.is_file() {
        missing::provide(&[PYTHON])?;
        missing::provide_venv()?;
        println!("fetching litellm[proxy] {LITELLM} to measure beside it");
        output_of(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
        let mut pip = Command::new(directory.join("bin/pip"));
        run(pip
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("litellm[proxy]=={LITELLM}")))?;
    }
    Ok(program)
}

/// The repositories in a directory, read-only, at `/git/`.
pub(super) fn nginx(bench: &Bench, repositories: &Path) -> Result<Running> {
    missing::provide(&[NGINX, FCGIWRAP])?;
    let backend = git_http_backend()?;
    let directory = bench.fresh("nginx")?;
    let port = free_port()?;
    let here = directory.display();
    let temporary = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"]
        .map(|kind| format!("  {kind}_temp_path {here}/{kind};\n"))
        .concat();
    let parameters = [
        ("SCRIPT_FILENAME", backend.display().to_string()),
        ("GIT_PROJECT_ROOT", repositories.display().to_string()),
        ("GIT_HTTP_EXPORT_ALL", "1".to_owned()),
        ("PATH_INFO", "$1".to_owned()),
        ("QUERY_STRING", "$query_string".to_owned()),
        ("REQUEST_METHOD", "$request_method".to_owned()),
        ("CONTENT_TYPE", "$content_type".to_owned()),
        ("CONTENT_LENGTH", "$content_length".to_owned()),
        ("HTTP_CONTENT_ENCODING", "$http_content_encoding".to_owned()),
        ("GIT_PROTOCOL", "$http_git_protocol".to_owned()),
    ]
    .map(|(name, value)| format!("      fastcgi_param {name} {value};\n"))
    .concat();
    // Root, as it is started: its processes may read what was made here.
    let config = format!(
        "user root;\ndaemon off;\nworker_processes 2;\npid {here}/pid;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}  server {{\n    \
         listen 127.0.0.1:{port};\n    location = / {{ return 200 ready; }}\n    location ~ ^/git(/.*)$ {{\n      \
         fastcgi_pass unix:{here}/socket;\n      fastcgi_buffering off;\n{parameters}    }}\n  }}\n}}\n"
    );
    std::fs::write(directory.join("nginx.conf"), config)?;
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "fcgiwrap -c 4 -s \"unix:$1/socket\" & exec nginx -e \"$1/errors\" -c \"$1/nginx.conf\"",
        "sh",
    ]);
    Running::start(with(command, &directory), port, "/", &directory.join("log"))
}

/// Files, to be read and written as they are.
pub(super) fn nginx_of_files(bench: &Bench) -> Result<Running> {
    missing::provide(&[NGINX])?;
    let directory = bench.fresh("nginx-files")?;
    let port = free_port()?;
    let here = directory.display();
    std::fs::create_dir(directory.join("files"))?;
    let config = format!(
        "user root;\ndaemon off;\nworker_processes 2;\npid {here}/pid;\nevents {{}}\nhttp {{\n  access_log off;\n  sendfile on;\n  \
         client_body_temp_path {here}/body;\n  client_max_body_size 0;\n  server {{\n    listen 127.0.0.1:{port};\n    root {here}/files;\n    \
         dav_methods PUT;\n    location = / {{ return 200 ready; }}\n  }}\n}}\n"
    );
    std::fs::write(directory.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-e").arg(directory.join("errors")).arg("-c").arg(directory.join("nginx.conf"));
    Running::start(command, port, "/", &directory.join("log"))
}

fn with(mut command: Command, argument: &Path) -> Command {
    command.arg(argument);
    command
}

fn git_http_backend() -> Result<PathBuf> {
    let directory = output_of(Command::new("git").arg("--exec-path"))?;
    let backend = Path::new(directory.trim()).join("git-http-backend");
    ensure!(backend.is_file(), "there is no {}", backend.display());
    Ok(backend)
}

/// A proxy that lets everything on this machine through; its port.
pub(super) fn tinyproxy(bench: &Bench) -> Result<(Running, u16)> {
    missing::provide(&[TINYPROXY])?;
    let directory = bench.fresh("tinyproxy")?;
    let port = free_port()?;
    let file = directory.join("tinyproxy.conf");
    let config = format!(
        "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 600\nMaxClients 100\nLogLevel Error\n"
    );
    std::fs::write(&file, config)?;
    let mut command = Command::new("tinyproxy");
    command.arg("-d").arg("-c").arg(&file);
    let running = Running::start_listening(command, port, &directory.join("log"));
    Ok((running.context("start tinyproxy")?, port))
}
