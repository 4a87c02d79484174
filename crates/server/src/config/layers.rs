//! The variables that Lamplight reads, and how they are laid over the file.

use super::{Config, ConfigError, secrets};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The process's environment, as a value.
pub type Environment = BTreeMap<String, String>;

/// One variable and the key that it sets.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    pub name: &'static str,
    /// Dotted, such as `server.listen`.
    pub key: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
    /// Separated by colons, as in `PATH`.
    List,
}

const fn variable(name: &'static str, key: &'static str, kind: Kind) -> Variable {
    Variable { name, key, kind }
}

/// Everything that can be set by environment. A later row wins over an earlier one with the same key.
pub const VARIABLES: &[Variable] = &[
    variable("OPENAI_BASE_URL", "models.openai.base", Kind::Text),
    variable("ANTHROPIC_BASE_URL", "models.anthropic.base", Kind::Text),
    variable("GOOGLE_GEMINI_BASE_URL", "models.gemini.base", Kind::Text),
    variable("LAMPLIGHT_LISTEN", "server.listen", Kind::Text),
    variable("LAMPLIGHT_DATA_DIR", "server.data_dir", Kind::Text),
    variable("LAMPLIGHT_DATABASE", "database.url", Kind::Text),
    variable("LAMPLIGHT_DATABASE_CA_FILE", "database.ca_file", Kind::Text),
    variable("LAMPLIGHT_DATABASE_SERVER_ADDRESS", "database.server_address", Kind::Text),
    variable("LAMPLIGHT_BLOBS_URL", "blobs.url", Kind::Text),
    variable("LAMPLIGHT_BLOBS_ENDPOINT", "blobs.endpoint", Kind::Text),
    variable("LAMPLIGHT_BLOBS_REGION", "blobs.region", Kind::Text),
    variable("LAMPLIGHT_BLOBS_CA_FILE", "blobs.ca_file", Kind::Text),
    variable("LAMPLIGHT_BLOBS_ALLOW_HTTP", "blobs.allow_http", Kind::Flag),
    variable("LAMPLIGHT_HOSTS", "server.hosts", Kind::List),
    variable("LAMPLIGHT_PUBLIC_URL", "server.public_url", Kind::Text),
    variable("LAMPLIGHT_PREVIEW_DOMAIN", "server.preview_domain", Kind::Text),
    variable("LAMPLIGHT_TLS", "server.tls", Kind::Text),
    variable("LAMPLIGHT_AUTH_REQUIRED", "auth.required", Kind::Flag),
    variable("LAMPLIGHT_THREADS", "server.threads", Kind::Number),
    variable("LAMPLIGHT_LOG_LEVEL", "log.level", Kind::Text),
    variable("LAMPLIGHT_LOG_FORMAT", "log.format", Kind::Text),
    variable("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.url", Kind::Text),
    variable("LAMPLIGHT_TRACES_URL", "traces.url", Kind::Text),
    variable("LAMPLIGHT_TRACES_HEADERS_ENV", "traces.headers_env", Kind::Text),
    variable("LAMPLIGHT_TRACES_SERVICE", "traces.service", Kind::Text),
    variable("LAMPLIGHT_PERSON_NAME", "person.name", Kind::Text),
    variable("LAMPLIGHT_PERSON_EMAIL", "person.email", Kind::Text),
    variable("LAMPLIGHT_AGENT_DEFAULT", "agent.default", Kind::Text),
    variable("LAMPLIGHT_AGENT_MODEL", "agent.model", Kind::Text),
    variable("LAMPLIGHT_AGENT_PERMISSIONS", "agent.permissions", Kind::Text),
    variable("LAMPLIGHT_AGENT_TOOLS_DIR", "agent.tools_dir", Kind::Text),
    variable("LAMPLIGHT_LIMITS_STEPS", "limits.steps", Kind::Number),
    variable("LAMPLIGHT_LIMITS_FAILURES_IN_A_ROW", "limits.failures_in_a_row", Kind::Number),
    variable("LAMPLIGHT_LIMITS_IDENTICAL_CALLS", "limits.identical_calls", Kind::Number),
    variable("LAMPLIGHT_LIMITS_SILENCE_MS", "limits.silence_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_WALL_CLOCK_MS", "limits.wall_clock_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_PERMISSION_MS", "limits.permission_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_START_MS", "limits.start_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_CANCEL_GRACE_MS", "limits.cancel_grace_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_PAUSED_MS", "limits.paused_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_PAUSE_MS", "limits.pause_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_IDLE_MS", "limits.idle_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_IDLE_WARNING_MS", "limits.idle_warning_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_CHECKPOINT_MS", "limits.checkpoint_ms", Kind::Number),
    variable("LAMPLIGHT_LIMITS_BUDGET_MICROS", "limits.budget_micros", Kind::Number),
    variable("LAMPLIGHT_HOOKS_ALLOW_PRIVATE", "hooks.allow_private", Kind::List),
    variable("LAMPLIGHT_LIMITS_TURN_TOKENS", "limits.turn_tokens", Kind::Number),
    variable("LAMPLIGHT_LIMITS_TURN_COST_MICROS", "limits.turn_cost_micros", Kind::Number),
    variable("LAMPLIGHT_LIMITS_SESSION_STEPS", "limits.session_steps", Kind::Number),
    variable("LAMPLIGHT_LIMITS_SESSION_TOKENS", "limits.session_tokens", Kind::Number),
    variable("LAMPLIGHT_LIMITS_SESSION_WALL_CLOCK_MS", "limits.session_wall_clock_ms", Kind::Number),
    variable("LAMPLIGHT_QUEUE_SANDBOXES", "queue.sandboxes", Kind::Number),
    variable("LAMPLIGHT_QUEUE_SANDBOXES_PER_PERSON", "queue.sandboxes_per_person", Kind::Number),
    variable("LAMPLIGHT_QUEUE_MEMORY_MB", "queue.memory_mb", Kind::Number),
    variable("LAMPLIGHT_ATTEMPTS_MOST", "attempts.most", Kind::Number),
    variable("LAMPLIGHT_CHILDREN_DEPTH", "children.depth", Kind::Number),
    variable("LAMPLIGHT_CHILDREN_PER_SESSION", "children.per_session", Kind::Number),
    variable("LAMPLIGHT_CHILDREN_BY_AGENTS", "children.by_agents", Kind::Flag),
    variable("LAMPLIGHT_ARCHIVE_AFTER_DAYS", "archive.after_days", Kind::Number),
    variable("LAMPLIGHT_ARCHIVE_UNTOUCHED_AFTER_DAYS", "archive.untouched_after_days", Kind::Number),
    variable("LAMPLIGHT_CHECKS_RUN", "checks.run", Kind::Text),
    variable("LAMPLIGHT_BUDGETS_MONTH_MICROS", "budgets.month_micros", Kind::Number),
    variable("LAMPLIGHT_MODELS_OPENAI_BASE", "models.openai.base", Kind::Text),
    variable("LAMPLIGHT_MODELS_OPENAI_KEY_ENV", "models.openai.key_env", Kind::Text),
    variable("LAMPLIGHT_MODELS_ANTHROPIC_BASE", "models.anthropic.base", Kind::Text),
    variable("LAMPLIGHT_MODELS_ANTHROPIC_KEY_ENV", "models.anthropic.key_env", Kind::Text),
    variable("LAMPLIGHT_MODELS_GEMINI_BASE", "models.gemini.base", Kind::Text),
    variable("LAMPLIGHT_MODELS_GEMINI_KEY_ENV", "models.gemini.key_env", Kind::Text),
    variable("LAMPLIGHT_MODELS_OPENAI_PRICE", "models.openai.price", Kind::Text),
    variable("LAMPLIGHT_MODELS_ANTHROPIC_PRICE", "models.anthropic.price", Kind::Text),
    variable("LAMPLIGHT_MODELS_GEMINI_PRICE", "models.gemini.price", Kind::Text),
    variable("LAMPLIGHT_GITHUB_HOST", "github.host", Kind::Text),
    variable("LAMPLIGHT_GITHUB_WEB", "github.web", Kind::Text),
    variable("LAMPLIGHT_GITHUB_API", "github.api", Kind::Text),
    variable("LAMPLIGHT_GITHUB_GRAPHQL", "github.graphql", Kind::Text),
    variable("LAMPLIGHT_GITHUB_GIT", "github.git", Kind::Text),
    variable("LAMPLIGHT_GITHUB_TOKEN_ENV", "github.token_env", Kind::Text),
    variable("LAMPLIGHT_GITHUB_APP_ID", "github.app_id", Kind::Number),
    variable("LAMPLIGHT_GITHUB_PRIVATE_KEY_FILE", "github.private_key_file", Kind::Text),
    variable("LAMPLIGHT_GITHUB_WEBHOOK_SECRET_ENV", "github.webhook_secret_env", Kind::Text),
    variable("LAMPLIGHT_GITHUB_WEBHOOK_SECRET_FILE", "github.webhook_secret_file", Kind::Text),
    variable("LAMPLIGHT_GITHUB_REPOSITORIES", "github.repositories", Kind::List),
    variable("LAMPLIGHT_GITHUB_LABEL", "github.label", Kind::Text),
    variable("LAMPLIGHT_GITHUB_MENTION", "github.mention", Kind::Text),
    variable("LAMPLIGHT_GITHUB_ASSIGNEE", "github.assignee", Kind::Text),
    variable("LAMPLIGHT_GITHUB_POLL_SECONDS", "github.poll_seconds", Kind::Number),
    variable("LAMPLIGHT_GITHUB_CLOSING_WORD", "github.closing_word", Kind::Text),
    variable("LAMPLIGHT_GIT_SIGNING_KEY_FILE", "git.signing_key_file", Kind::Text),
    variable("LAMPLIGHT_GATEWAY_LISTEN", "gateway.listen", Kind::Text),
    variable("LAMPLIGHT_GATEWAY_URL", "gateway.url", Kind::Text),
    variable("LAMPLIGHT_E2B_ENABLED", "e2b.enabled", Kind::Flag),
    variable("LAMPLIGHT_E2B_DOMAIN", "e2b.domain", Kind::Text),
    variable("LAMPLIGHT_E2B_REGISTRIES", "e2b.registries", Kind::List),
    variable("LAMPLIGHT_SECRETS_KEY_FILE", "secrets.key_file", Kind::Text),
    variable("LAMPLIGHT_MODELS_SCRIPTED", "models.scripted", Kind::Flag),
    variable("LAMPLIGHT_SANDBOX_PROVIDER", "sandbox.provider", Kind::Text),
    variable("LAMPLIGHT_SANDBOX_LAUNCHER", "sandbox.launcher", Kind::Text),
    variable("LAMPLIGHT_SANDBOX_HOME", "sandbox.home", Kind::Text),
    variable("LAMPLIGHT_SANDBOX_TOOLS", "sandbox.tools", Kind::List),
    variable("LAMPLIGHT_SANDBOX_IMAGE", "sandbox.image", Kind::Text),
    variable("LAMPLIGHT_SANDBOX_NETWORK", "sandbox.network", Kind::Text),
    variable("LAMPLIGHT_SANDBOX_ALLOW", "sandbox.allow", Kind::List),
    variable("LAMPLIGHT_SANDBOX_ALLOW_PRIVATE", "sandbox.allow_private", Kind::List),
    variable("LAMPLIGHT_SANDBOX_NETWORK_BYTES_PER_MINUTE", "sandbox.network_bytes_per_minute", Kind::Number),
    variable("LAMPLIGHT_SANDBOX_UNSAFE", "sandbox.unsafe", Kind::Flag),
    variable("LAMPLIGHT_SANDBOX_DISK_LIMIT", "sandbox.disk_limit", Kind::Text),
    variable("LAMPLIGHT_SANDBOX_LIMITS_CPU_THOUSANDTHS", "sandbox.limits.cpu_thousandths", Kind::Number),
    variable("LAMPLIGHT_SANDBOX_LIMITS_MEMORY_BYTES", "sandbox.limits.memory_bytes", Kind::Number),
    variable("LAMPLIGHT_SANDBOX_LIMITS_PROCESSES", "sandbox.limits.processes", Kind::Number),
    variable("LAMPLIGHT_SANDBOX_LIMITS_DISK_BYTES", "sandbox.limits.disk_bytes", Kind::Number),
    variable("LAMPLIGHT_SANDBOX_LIMITS_OPEN_FILES", "sandbox.limits.open_files", Kind::Number),
    variable("LAMPLIGHT_SANDBOX_LIMITS_NESTED_SANDBOXES", "sandbox.limits.nested_sandboxes", Kind::Flag),
];

/// Read elsewhere: the file's place, the server that the commands talk to and their token, and what secrets are sealed with.
const OTHER_VARIABLES: &[&str] =
    &["LAMPLIGHT_CONFIG", "LAMPLIGHT_URL", TOKEN_VARIABLE, secrets::KEY_VARIABLE];

/// What commands sign in with.
pub const TOKEN_VARIABLE: &str = "LAMPLIGHT_TOKEN";

const PREFIX: &str = "LAMPLIGHT_";

/// Sets every key whose variable is set, one at a time so that a value that does not fit is told with its variable.
pub(super) fn lay_environment(table: &mut Table, environment: &Environment) -> Result<(), ConfigError> {
    if let Some(name) = environment.keys().find(|name| name.starts_with(PREFIX) && !is_known(name)) {
        return Err(ConfigError::UnknownVariable { name: name.clone(), similar: similar(name) });
    }
    for row in VARIABLES {
        let Some(text) = environment.get(row.name).filter(|text| !text.is_empty()) else { continue };
        let wrong = |message: String| ConfigError::Variable { name: row.name.to_owned(), message };
        set(table, row.key, row.kind.parse(text).map_err(wrong)?);
        // A person is two keys; half of one is judged when both are laid.
        if row.key != "person.name" {
            let fits: Result<Config, toml::de::Error> = table.clone().try_into();
            fits.map_err(|error| wrong(error.message().to_owned()))?;
        }
    }
    Ok(())
}

/// Puts a value at a dotted key, making the tables on the way.
pub(super) fn set(table: &mut Table, key: &str, value: Value) {
    let (tables, last) = key.rsplit_once('.').expect("every key in VARIABLES has a section");
    let mut place = table;
    for name in tables.split('.') {
        let entry = place.entry(name).or_insert_with(|| Value::Table(Table::new()));
        place = entry.as_table_mut().expect("the file was checked against Config, where sections are tables");
    }
    place.insert(last.to_owned(), value);
}

fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|row| row.name == name) || OTHER_VARIABLES.contains(&name)
}

impl Kind {
    fn parse(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::String(text.to_owned())),
            Self::Number => {
                text.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number"))
            }
            Self::Flag => match text {
                "1" | "true" => Ok(Value::Boolean(true)),
                "0" | "false" => Ok(Value::Boolean(false)),
                _ => Err(format!("{text:?} is neither true nor false")),
            },
            Self::List => {
                let items = text.split(':').filter(|item| !item.is_empty());
                Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
        }
    }
}

/// The known variable that shares most of its start and end with this one, if most of it is shared.
fn similar(name: &str) -> Option<&'static str> {
    let shared = |known: &str| {
        let start = known.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let end = known.bytes().rev().zip(name.bytes().rev()).take_while(|(a, b)| a == b).count();
        start + end
    };
    let best = VARIABLES.iter().map(|row| row.name).max_by_key(|known| shared(known))?;
    (shared(best) > PREFIX.len() + name.len() / 4).then_some(best)
}
