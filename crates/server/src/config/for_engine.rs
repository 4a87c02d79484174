//! What the engine is told of the configuration.

use super::models::{CompatibleEndpoint, EndpointPrice, Price};
use super::{Budgets, Config, CustomAgent, ModelEndpoint, Models, Provider, Repository};
use lamplight_domain::Redaction;
use lamplight_engine::{
    BudgetsConfig, Configured, EndpointConfig, ModelPrice, ModelsConfig, Outside, RepositoryConfig,
    SandboxConfig, Tariff,
};
use std::net::SocketAddr;
use std::num::NonZeroU64;

impl Config {
    pub fn engine(&self) -> lamplight_engine::Config {
        lamplight_engine::Config {
            data_dir: self.server.data_dir.clone(),
            database: self.database.engine(),
            bucket: self.blobs.engine(),
            servers_address: self.servers_address(self.server.listen),
            tools_dir: self.tools_dir(),
            default_agent: self.agent.default.clone(),
            default_model: self.agent.model.clone(),
            agents: self.agents.iter().map(CustomAgent::configured).collect(),
            models: self.models.engine(),
            github: self.github.engine(),
            forge: self.github.forge(self.address(self.server.listen)),
            github_stored: self.github.stored(self.address(self.server.listen)),
            rights: self.auth.rights(&self.github),
            on_behalf: self.auth.on_behalf(&self.github),
            sealing: self.secrets.source(&self.server.data_dir),
            redaction: self.redaction(),
            scripted_model: self.models.scripted,
            limits: self.limits.clone(),
            guards: self.guards.engine(),
            queue: self.queue.engine(),
            attempts: self.attempts.most,
            children: self.children.engine(),
            archive: self.archive.engine(),
            budgets: self.budgets.engine(),
            permissions: self.agent.permissions,
            checks: self.checks.run,
            signing_key: self.git.signing_key_file.clone(),
            person: self.person.clone(),
            sandbox: SandboxConfig {
                tool_dirs: self.sandbox.tools.clone(),
                home: self.sandbox.home.clone(),
                launcher: None,
                runtime: self.sandbox.launcher.runtime().map(str::to_owned),
                disk_limit: self.sandbox.disk_limit,
                limits: self.sandbox.limits.clone(),
                is_unsafe: self.sandbox.is_unsafe,
                cloud: (self.sandbox.provider == Provider::E2b).then(|| self.e2b_provider.engine()),
            },
            network: self.sandbox.network(),
            image: self.sandbox.image.clone(),
            outside: Outside {
                allow_private: self.sandbox.allow_private.clone(),
                bytes_per_minute: NonZeroU64::new(self.sandbox.network_bytes_per_minute),
                ..Outside::default()
            },
            hooks: self.hooks.engine(self.address(self.server.listen)),
            traces: self.traces.engine(),
            registries: self.e2b.registries(),
            repositories: self.repositories.iter().map(Repository::engine).collect(),
        }
    }
}

impl Config {
    /// Knows what lets this server into where things are kept.
    fn redaction(&self) -> Redaction {
        let redaction = self.database.redaction();
        redaction.learn(self.blobs.known_secrets());
        redaction.learn(self.traces.known_secrets());
        redaction
    }

    /// Where other servers on the same database reach this one, if they do.
    pub fn servers_address(&self, listen: SocketAddr) -> Option<String> {
        let said =
            self.database.server_address.as_ref().map(|address| address.trim_end_matches('/').to_owned());
        said.or_else(|| (!listen.ip().is_unspecified()).then(|| format!("http://{listen}")))
    }
}

impl Models {
    fn engine(&self) -> ModelsConfig {
        // A script costs nothing, unless it is to be shown what it would cost.
        let otherwise = if self.scripted { Tariff::Free } else { Tariff::Listed };
        let compatible = self.compatible.iter();
        ModelsConfig {
            openai: self.openai.engine(otherwise),
            anthropic: self.anthropic.engine(otherwise),
            gemini: self.gemini.engine(otherwise),
            compatible: compatible.map(|(name, at)| (name.clone(), at.engine(otherwise))).collect(),
            prices: self.prices.iter().map(Price::engine).collect(),
        }
    }
}

impl ModelEndpoint {
    fn engine(&self, otherwise: Tariff) -> EndpointConfig {
        let key = self.key.as_ref().map(|key| lamplight_engine::Secret::new(key.reveal()));
        let tariff = self.price.map_or(otherwise, EndpointPrice::engine);
        let kept_back = self.kept_back.as_ref();
        let kept_back =
            kept_back.map(|(name, key)| (name.clone(), lamplight_engine::Secret::new(key.reveal())));
        EndpointConfig { base: self.base.clone(), key, variable: self.key_env.clone(), kept_back, tariff }
    }
}

impl CompatibleEndpoint {
    fn engine(&self, otherwise: Tariff) -> EndpointConfig {
        EndpointConfig {
            base: Some(self.base.clone()),
            key: self.key.as_ref().map(|key| lamplight_engine::Secret::new(key.reveal())),
            variable: self.key_env.clone(),
            kept_back: None,
            tariff: self.price.map_or(otherwise, EndpointPrice::engine),
        }
    }
}

impl EndpointPrice {
    fn engine(self) -> Tariff {
        match self {
            Self::Free => Tariff::Free,
            Self::Vendor => Tariff::AsVendor,
        }
    }
}

impl Repository {
    fn engine(&self) -> RepositoryConfig {
        RepositoryConfig {
            path: self.path.clone(),
            agent: self.agent.clone(),
            permissions: self.permissions,
            limits: self.limits.clone(),
            sandbox: self.sandbox.limits.clone(),
            network: self.network(),
            image: self.sandbox.image.clone(),
            submodules: self.submodules.clone(),
            lfs: self.lfs,
            budget_month_micros: self.budget_month_micros,
        }
    }
}

impl Budgets {
    fn engine(&self) -> BudgetsConfig {
        let people = self.people.iter().map(|person| (person.name.clone(), person.month_micros));
        BudgetsConfig { month_micros: self.month_micros, people: people.collect() }
    }
}

impl Price {
    fn engine(&self) -> ModelPrice {
        ModelPrice {
            upstream: self.upstream.clone(),
            model: self.model.clone(),
            tier: self.tier.clone(),
            input: self.input,
            cached: self.cached,
            cache_written: self.cache_written,
            output: self.output,
        }
    }
}

impl CustomAgent {
    fn configured(&self) -> Configured {
        Configured {
            name: self.name.clone(),
            title: self.title.clone(),
            command: self.command.clone(),
            arguments: self.args.clone(),
            environment: self.env.clone(),
        }
    }
}
