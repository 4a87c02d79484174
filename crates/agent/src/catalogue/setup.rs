//! What an agent is started with, and what that comes to.

use super::Machine;

/// Where programs are looked for inside a sandbox.
pub const SANDBOX_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The key that agents are given. The gateway takes it off and puts the real one on.
pub(super) const KEY: &str = "lamplight";

/// The name that the scripted model goes by where an agent insists on one.
pub(super) const SCRIPTED_MODEL: &str = "scripted-model";

/// Everything that a launch depends on. All paths and addresses are those inside the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Where the tools directory is mounted, read-only.
    pub tools_dir: String,
    /// The agent's HOME: writable, and the session's own.
    pub home: String,
    /// The gateway, such as `http://127.0.0.1:7411`, without a slash at the end.
    pub gateway: String,
    /// The agent's own id of a model; `None` is the agent's default.
    pub model: Option<String>,
    /// What the gateway calls the upstream that `model` is of, where that is none of the vendors.
    pub compatible: Option<String>,
    pub models: Models,
}

/// Which models answer behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Models {
    /// The scripted model, under every protocol.
    Scripted,
    /// Those of the vendors for which there is a key.
    Keys { openai: bool, anthropic: bool, gemini: bool },
}

/// How to start a process: nothing is inherited from anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// Absolute path of the program, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Files to be written before the start: path relative to HOME, and contents.
    pub home_files: Vec<(String, String)>,
}

impl Setup {
    /// Where OpenAI's protocol is spoken by whoever has the model; without a version, as a few of its clients take it.
    pub(super) fn openai_host(&self) -> String {
        match &self.compatible {
            Some(name) => format!("{}/compatible/{name}", self.gateway),
            None => format!("{}/openai", self.gateway),
        }
    }

    pub(super) fn openai_base(&self) -> String {
        format!("{}/v1", self.openai_host())
    }

    /// OpenAI's own, whoever has the model.
    pub(super) fn vendors_openai_base(&self) -> String {
        format!("{}/openai/v1", self.gateway)
    }

    pub(super) fn anthropic_base(&self) -> String {
        format!("{}/anthropic", self.gateway)
    }

    /// Without a version, as most of its clients take it.
    pub(super) fn gemini_base(&self) -> String {
        format!("{}/gemini", self.gateway)
    }

    pub(super) fn has_openai(&self) -> bool {
        self.compatible.is_some()
            || matches!(self.models, Models::Scripted | Models::Keys { openai: true, .. })
    }

    /// A file of an installed package: `<tools>/<agent>/node_modules/<package>/<path>`.
    pub(super) fn package_file(&self, agent: &str, package: &str, path: &str) -> String {
        format!("{}/{agent}/node_modules/{package}/{path}", self.tools_dir)
    }

    pub(super) fn node(&self) -> String {
        format!("{}/node", self.node_bin())
    }

    fn node_bin(&self) -> String {
        let machine = Machine::here().unwrap_or(Machine::X64).npm();
        self.package_file("node", &format!("node-linux-{machine}"), "bin")
    }

    /// The environment that every agent gets.
    pub(super) fn launch(&self, argv: impl IntoIterator<Item = String>) -> Launch {
        let mut launch = Launch { argv: argv.into_iter().collect(), env: Vec::new(), home_files: Vec::new() };
        launch.set("HOME", &self.home);
        launch.set("PATH", SANDBOX_PATH);
        launch.set("USER", "agent");
        launch.set("LANG", "C.UTF-8");
        launch.set("SHELL", "/bin/bash");
        launch.set("TERM", "dumb");
        // Nobody is there to answer a pager or a password prompt.
        launch.set("PAGER", "cat");
        launch.set("GIT_PAGER", "cat");
        launch.set("GIT_TERMINAL_PROMPT", "0");
        // The gateway is on loopback and is never reached through a proxy.
        launch.set("NO_PROXY", "127.0.0.1,localhost");
        launch.set("no_proxy", "127.0.0.1,localhost");
        launch
    }

    /// The same, for a program that runs on our Node; what the program starts finds it too, after the machine's own.
    pub(super) fn launch_on_node(&self, script: String, arguments: &[&str]) -> Launch {
        let argv = [self.node(), script].into_iter().chain(arguments.iter().map(ToString::to_string));
        let mut launch = self.launch(argv);
        launch.set("PATH", &format!("{SANDBOX_PATH}:{}", self.node_bin()));
        launch
    }
}

impl Launch {
    /// Sets one variable, in the place of an earlier one of that name.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.env.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.env.push((name.to_owned(), value.to_owned())),
        }
    }
}
