mod sandbox;

use super::*;
use lamplight_engine::Tariff;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    let home = [("HOME".to_owned(), "/home/someone".to_owned())];
    home.into_iter().chain(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).collect()
}

pub(super) fn load(file: &str, flags: Flags, variables: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lamplight.toml");
    std::fs::write(&path, file).unwrap();
    let flags = Flags { config: Some(path), ..flags };
    Config::load(&flags, &environment(variables))
        .map_err(|error| error.to_string().replace(&directory.path().display().to_string(), "DIR"))
}

#[test]
fn defaults_need_no_file() {
    let config = Config::load(&Flags::default(), &environment(&[])).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7410");
    assert_eq!(config.server.data_dir, Path::new("/home/someone/.local/share/lamplight"));
    assert_eq!(config.tools_dir(), Path::new("/home/someone/.local/share/lamplight/tools"));
    assert_eq!(config.agent.default, "opencode");
    assert!(!config.models.openai.is_configured());
    let moved = Config::load(&Flags::default(), &environment(&[("XDG_DATA_HOME", "/data")])).unwrap();
    assert_eq!(moved.server.data_dir, Path::new("/data/lamplight"));
}

#[test]
fn flags_win_over_environment_over_file() {
    let file = "[server]\nlisten = '127.0.0.1:1'\n[limits]\nsteps = 5\n";
    let listen = |config: Config| config.server.listen.port();
    assert_eq!(load(file, Flags::default(), &[]).map(listen), Ok(1));
    assert_eq!(load(file, Flags::default(), &[("LAMPLIGHT_LISTEN", "127.0.0.1:2")]).map(listen), Ok(2));
    let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
    let config = load(file, flags, &[("LAMPLIGHT_LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!((config.limits.steps, config.limits.identical_calls), (5, 3));
    assert_eq!(listen(config), 3);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let check = |file: &str, variables: &[(&str, &str)], expected: &str| {
        let error = load(file, Flags::default(), variables).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    check(
        "\n[server]\nlisten = '127.0.0.1:1'\nlisen = 3\n",
        &[],
        "DIR/lamplight.toml:4: unknown key `lisen`",
    );
    check("[sever]\n", &[], "DIR/lamplight.toml:1: unknown key `sever`");
    check("[limits]\nsteps = 'many'\n", &[], "DIR/lamplight.toml:2: invalid type");
    check("[server\n", &[], "DIR/lamplight.toml:1: ");
    check("[models.openai]\nkey = 'sk-1'\n", &[], "DIR/lamplight.toml:2: unknown key `key`");
    check(
        "",
        &[("LAMPLIGHT_LISTN", "x")],
        "the variable LAMPLIGHT_LISTN is not one that Lamplight reads; did you mean LAMPLIGHT_LISTEN?",
    );
    check("", &[("LAMPLIGHT_LISTEN", "everywhere")], "the variable LAMPLIGHT_LISTEN cannot be used: ");
    check(
        "",
        &[("LAMPLIGHT_LIMITS_STEPS", "many")],
        "the variable LAMPLIGHT_LIMITS_STEPS cannot be used: \"many\" is not",
    );
    check(
        "[sandbox]\nallow = ['example.org']\n",
        &[],
        "the configuration cannot be used: sandbox.allow is only",
    );
    check(
        "[sandbox]\nallow_private = ['http://db']\n",
        &[],
        "DIR/lamplight.toml:2: \"http://db\" names no host",
    );
    check(
        "[sandbox]\nnetwork_bytes_per_minute = 1000\n",
        &[],
        "the configuration cannot be used: sandbox.network_bytes_per_minute is 1000; the least is 1048576",
    );
    check("[sandbox]\nnetwork = 'closed'\n", &[], "DIR/lamplight.toml:2: unknown variant");
    check(
        "[[repositories]]\npath = '/r'\nsandbox.allow = ['a.example']\n",
        &[],
        "the configuration cannot be used: repositories: /r: sandbox.allow is only",
    );
    check(
        "[[repositories]]\npath = '/r'\nlimits.step = 1\n",
        &[],
        "DIR/lamplight.toml:3: unknown key `step`",
    );
    check("[sandbox]\nimage = '../x'\n", &[], "DIR/lamplight.toml:2: \"../x\" is no name of an image");
    check(
        "[e2b_provider]\ntemplate = 'mine'\n",
        &[],
        "the configuration cannot be used: e2b_provider is only used with",
    );
    let in_a_cloud = |more: &str| format!("[sandbox]\nprovider = 'e2b'\n{more}");
    for (more, why) in [
        ("image = 'debian'", "sandbox.image names an image of this machine"),
        ("limits.memory_bytes = 2147483648", "sandbox.limits cannot be held to in a cloud"),
        ("[[repositories]]\npath = '/r'\nsandbox.image = 'debian'", "repositories: /r: sandbox.image and"),
        ("disk_limit='volume'", "sandbox.disk_limit is only used with sandbox.provider"),
        ("network='allowlist'\nallow=['a.b']\n[e2b_provider]\ninternet=true", "sandbox.network = \"allow"),
    ] {
        let file = in_a_cloud(&format!("{more}\n"));
        check(&file, &[], &format!("the configuration cannot be used: {why}"));
    }
    for (line, why) in [
        ("api_url = 'cloud'", "api_url is \"cloud\""),
        ("timeout_seconds = 60", "timeout_seconds has to be 120"),
        ("user = 'root'", "user has letters, digits, - and _ alone, and is not root"),
    ] {
        let file = in_a_cloud(&format!("[e2b_provider]\n{line}\n"));
        check(&file, &[], &format!("the configuration cannot be used: e2b_provider.{why}"));
    }
    let everywhere = ("LAMPLIGHT_LISTEN", "0.0.0.0:7410");
    check(
        "",
        &[everywhere],
        "the configuration cannot be used: server.listen is 0.0.0.0:7410, where anybody",
    );
    let auth = "[auth]\nrequired = true\n";
    check(auth, &[everywhere], "the configuration cannot be used: server.listen is 0.0.0.0:7410, and what");
    assert!(load(auth, Flags::default(), &[everywhere, ("LAMPLIGHT_TLS", "none")]).is_ok());
    let others = "[auth.github]\nclient_id = 'x'\n";
    check(others, &[], "the configuration cannot be used: somebody signs people in, but nobody has to");
    check(
        "[auth]\nrequired = true\n[auth.oidc]\nissuer = 'http://id.example.org'\nclient_id = 'x'\n",
        &[],
        "the configuration cannot be used: auth.oidc.issuer is \"http://id.example.org\"; it should begin with https",
    );
    check(
        "[auth.allow]\nrole = 'admin'\n",
        &[],
        "the configuration cannot be used: auth.allow.role is viewer or member",
    );
    check("[server]\ntls = 'maybe'\n", &[], "DIR/lamplight.toml:2: unknown variant");
    let missing = Flags { config: Some("/nowhere/lamplight.toml".into()), ..Flags::default() };
    let error = Config::load(&missing, &environment(&[])).unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nowhere/lamplight.toml"), "{error}");
}

#[test]
fn only_the_server_needs_the_secrets_of_signing_in() {
    let file = "[auth]\nrequired = true\n[auth.oidc]\nissuer = 'https://id.example.org'\nclient_id = 'x'\n\
        [auth.github]\nclient_id = 'y'\nclient_secret_env = 'MINE'\n";
    let check = |variables: &[(&str, &str)], expected: Option<&str>| {
        let config = load(file, Flags::default(), variables).unwrap();
        let verdict = config.check_sign_in().map_err(|error| error.to_string());
        match expected {
            None => assert_eq!(verdict, Ok(())),
            Some(what) => assert!(verdict.unwrap_err().contains(what)),
        }
        assert!(!config.to_toml().contains("canary") && !format!("{config:?}").contains("canary"));
    };
    let (oidc, github) = (("OIDC_CLIENT_SECRET", "canary1"), ("MINE", "canary2"));
    check(&[], Some("auth.oidc has no secret; set the variable OIDC_CLIENT_SECRET"));
    check(&[oidc, ("MINE", " ")], Some("auth.github has no secret; set the variable MINE"));
    check(&[oidc, github], None);
}

#[test]
fn limits_of_sandboxes_are_checked_where_they_are_written() {
    let file = "[sandbox.limits]\nmemory_bytes = 1_073_741_824\nnested_sandboxes = true\n";
    let config = load(file, Flags { is_unsafe: true, ..Flags::default() }, &[]).unwrap();
    assert_eq!(config.sandbox.limits.memory_bytes, Some(1 << 30));
    assert_eq!(config.engine().sandbox.limits, config.sandbox.limits);
    assert!(config.sandbox.is_unsafe && config.to_toml().contains("unsafe = true"));
    let check = |file: &str, expected: &str| {
        let error = load(file, Flags::default(), &[]).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    check("[sandbox.limits]\nmemory = 1\n", "DIR/lamplight.toml:2: unknown key `memory`");
    check(
        "[sandbox.limits]\nprocesses = 1\n",
        "the configuration cannot be used: sandbox.limits: processes is 1; the least is 16",
    );
}

#[test]
fn secrets_come_from_the_environment_and_never_show() {
    let keys = [
        ("OPENAI_API_KEY", "sk-secret-1"),
        ("MY_KEY", "sk-secret-2"),
        ("ANTHROPIC_API_KEY", "sk-secret-3"),
        ("LAMPLIGHT_SECRETS_KEY", "sk-secret-4"),
    ];
    let config = load("[models.anthropic]\nkey_env = 'MY_KEY'\n", Flags::default(), &keys).unwrap();
    assert_eq!(config.models.openai.key.as_ref().map(Secret::reveal), Some("sk-secret-1"));
    assert_eq!(config.models.anthropic.key.as_ref().map(Secret::reveal), Some("sk-secret-2"));
    assert!(!format!("{config:?}{}", config.to_toml()).contains("sk-secret"));
}

#[test]
fn a_database_is_named_by_an_address_whose_password_never_shows() {
    let named = |url: &str| load("", Flags::default(), &[("LAMPLIGHT_DATABASE", url)]);
    let config = named("postgres://ada:s3cret-of-ada@127.0.0.1/lamplight").unwrap();
    assert!(!format!("{config:?}{}", config.to_toml()).contains("s3cret-of-ada"));
    let address = config.engine().database.unwrap().address().unwrap();
    assert_eq!(address.to_string(), "the database lamplight on 127.0.0.1");
    assert!(!config.engine().redaction.now().text("it is s3cret-of-ada").contains("s3cret-of-ada"));
    assert!(named("").unwrap().engine().database.is_none());
    let error = named("mysql://ada@127.0.0.1/lamplight").unwrap_err();
    assert!(error.contains("say it like postgres://"), "{error}");
    let error = load("[database]\nca_file = '/ca.pem'\n", Flags::default(), &[]).unwrap_err();
    assert!(error.contains("only used with database.url"), "{error}");
}

#[test]
fn what_models_cost_is_said_of_single_ones_or_of_an_address_of_ones_own() {
    let tariffs = |file: &str, environment: &[(&str, &str)]| {
        let models = load(file, Flags::default(), environment)?.engine().models;
        Ok::<_, String>([models.openai.tariff, models.anthropic.tariff, models.gemini.tariff])
    };
    let (listed, free) = (Tariff::Listed, Tariff::Free);
    assert_eq!(tariffs("", &[]), Ok([listed; 3]));
    let file = "[models.openai]\nbase = 'http://127.0.0.1:11434/v1'\nprice = 'free'\n\
        [models.gemini]\nbase = 'https://models.example.org'\nprice = 'vendor'\n";
    assert_eq!(tariffs(file, &[]), Ok([free, listed, Tariff::AsVendor]));
    assert_eq!(tariffs("[models]\nscripted = true\n", &[]), Ok([free; 3]));
    for base in ["", "base = 'https://api.openai.com/v1/'\n"] {
        let error = tariffs(&format!("[models.openai]\n{base}price = 'free'\n"), &[]).unwrap_err();
        assert!(error.contains("models.openai.price is for an address of your own"), "{error}");
    }
    let error = tariffs("[models.openai]\nprice = 'cheap'\n", &[]).unwrap_err();
    assert!(error.contains("unknown variant"), "{error}");
    let row = "[[models.prices]]\nmodel = 'o3'\ntier = 'flex'\ninput = 1\noutput = 4\n";
    let config = load(row, Flags::default(), &[]).unwrap();
    assert_eq!(config.engine().models.prices[0].tier.as_deref(), Some("flex"));
    assert_eq!(load(&config.to_toml(), Flags::default(), &[]), Ok(config));
}

#[test]
fn budgets_of_a_month_are_of_all_of_people_and_of_repositories() {
    let file = "[budgets]\nmonth_micros = 5\n[[budgets.people]]\nname = 'Ada'\nmonth_micros = 3\n\
        [[repositories]]\npath = '/r'\nbudget_month_micros = 2\n";
    let config = load(file, Flags::default(), &[]).unwrap();
    let engine = config.engine();
    assert_eq!((engine.budgets.month_micros, engine.budgets.people.get("Ada")), (5, Some(&3)));
    assert_eq!(engine.repositories[0].budget_month_micros, 2);
    assert_eq!(load(&config.to_toml(), Flags::default(), &[]), Ok(config));
    let twice = "[[budgets.people]]\nname = 'Ada'\nmonth_micros = 3\n";
    let error = load(&twice.repeat(2), Flags::default(), &[]).unwrap_err();
    assert_eq!(error, "the configuration cannot be used: budgets.people: \"Ada\" is there twice");
    let error =
        load("[[budgets.people]]\nname = 'Ada'\nmonth_micros = -3\n", Flags::default(), &[]).unwrap_err();
    assert!(error.contains("invalid value: integer `-3`"), "{error}");
}

#[test]
fn the_gateway_listens_in_the_open_to_nobody() {
    let check =
        |file: &str| load(&format!("[gateway]\n{file}"), Flags::default(), &[]).map(|config| config.gateway);
    let at = "127.0.0.1:7412".parse().unwrap();
    assert_eq!(check(""), Ok(Gateway::default()));
    assert_eq!(check("listen = '127.0.0.1:7412'").unwrap().address(at), "http://127.0.0.1:7412");
    let behind = check("listen = '0.0.0.0:7412'\nurl = 'https://gate.example.org/'\n").unwrap();
    assert_eq!(behind.address(at), "https://gate.example.org");
    for (file, why) in [
        ("listen = '0.0.0.0:7412'", "which others reach in the open"),
        ("url = 'https://gate.example.org'", "only used with gateway.listen"),
        ("listen = '127.0.0.1:1'\nurl = 'gate.example.org'", "say it like"),
        ("listen = '127.0.0.1:1'\nurl = 'https://x@gate.example.org'", "say it like"),
        ("listen = '127.0.0.1:1'\nurl = 'https://gate.example.org/x'", "say it like"),
    ] {
        let error = check(file).unwrap_err();
        assert!(error.contains(why), "{file}: {error}");
    }
}

#[test]
fn a_key_for_gemini_is_found_under_both_of_its_names() {
    let check = |file: &str, environment: &[(&str, &str)], key: Option<&str>| {
        let gemini = load(file, Flags::default(), environment).unwrap().models.gemini;
        assert_eq!(gemini.key.as_ref().map(Secret::reveal), key, "{file} {environment:?}");
    };
    let (gemini, google) = (("GEMINI_API_KEY", "1"), ("GOOGLE_API_KEY", "2"));
    check("", &[], None);
    check("", &[gemini], Some("1"));
    check("", &[google], Some("2"));
    check("", &[google, gemini], Some("1"));
    check("", &[google, ("GEMINI_API_KEY", " ")], Some("2"));
    check("[models.gemini]\nkey_env = 'MINE'\n", &[google, gemini], None);
}

#[test]
fn what_is_printed_can_be_read_again() {
    let file = "[person]\nname = 'Ada'\nemail = 'ada@example.org'\n[sandbox]\ntools = ['~/.cargo/bin']\n\
        [[agents]]\nname = 'mine'\ncommand = '/opt/mine'\nargs = ['x']\nenv = { A = 'b' }\n";
    let config = load(file, Flags::default(), &[]).unwrap();
    assert_eq!(config.sandbox.tools, [Path::new("/home/someone/.cargo/bin")]);
    assert_eq!(load(&config.to_toml(), Flags::default(), &[]), Ok(config));
}

#[test]
fn the_key_of_a_cloud_is_taken_from_the_environment_and_not_shown() {
    let file = "[sandbox]\nprovider = 'e2b'\n[e2b_provider]\ntemplate = 'mine'\nsandbox_url = 'http://127.0.0.1:9'\n";
    let key = [("E2B_API_KEY", " e2b_secret "), ("MINE", "e2b_other")];
    let cloud = |file: &str| load(file, Flags::default(), &key).unwrap().engine().sandbox.cloud;
    let taken = cloud(file).unwrap();
    assert_eq!(taken.current.get().as_deref(), Some("e2b_secret"), "until a stored one is known");
    assert_eq!(taken.variable.as_deref(), Some("E2B_API_KEY"));
    assert_eq!((taken.key.unwrap().expose(), taken.template.as_str()), ("e2b_secret", "mine"));
    let named = cloud(&format!("{file}key_env = 'MINE'\n")).unwrap();
    assert_eq!(named.key.unwrap().expose(), "e2b_other");
    assert!(cloud("").is_none());
    let config = load(file, Flags::default(), &key).unwrap();
    assert!(!format!("{config:?}{}", config.to_toml()).contains("e2b_secret"));
}

#[test]
fn every_variable_sets_a_key_that_exists() {
    for row in VARIABLES {
        let value = match row.key {
            "server.listen" | "gateway.listen" => "127.0.0.1:9",
            "database.url" => "postgres://ada@127.0.0.1/lamplight",
            "log.format" => "json",
            "server.tls" => "in_front",
            "checks.run" => "named",
            "children.by_agents" => "false",
            "agent.permissions" => "ask",
            "sandbox.network" => "none",
            "sandbox.disk_limit" => "volume",
            "sandbox.provider" => "e2b",
            "github.web" | "github.api" | "github.graphql" | "github.git" | "gateway.url"
            | "server.public_url" | "blobs.endpoint" | "traces.url" => "https://example.org",
            "github.repositories" => "acme/api",
            "sandbox.allow" | "e2b.registries" => "example.org",
            "e2b.domain" => "sandboxes.example.org",
            "database.server_address" => "http://10.0.0.7:7410",
            "blobs.url" => "s3://acme/lamplight",
            "auth.required"
            | "blobs.allow_http"
            | "e2b.enabled"
            | "models.scripted"
            | "sandbox.unsafe"
            | "sandbox.limits.nested_sandboxes" => "true",
            key if key.starts_with("sandbox.limits") || key.ends_with("per_minute") => "1073741824",
            key if key.ends_with(".price") => "free",
            _ => "7",
        };
        let person = [("LAMPLIGHT_PERSON_NAME", "a"), ("LAMPLIGHT_PERSON_EMAIL", "b"), (row.name, value)];
        let file = match row.key.rsplit_once('.') {
            _ if row.key == "sandbox.allow" => "[sandbox]\nnetwork = 'allowlist'\n".to_owned(),
            Some(("blobs", key)) if key != "url" => "[blobs]\nurl = 's3://acme'\n".to_owned(),
            _ if matches!(row.key, "e2b.domain" | "e2b.registries") => "[e2b]\nenabled = true\n".to_owned(),
            _ if matches!(row.key, "database.ca_file" | "database.server_address") => {
                "[database]\nurl = 'postgres://ada@127.0.0.1/l'\n".to_owned()
            }
            _ if row.key == "gateway.url" => "[gateway]\nlisten = '127.0.0.1:9'\n".to_owned(),
            _ if row.key == "github.private_key_file" => "[github]\napp_id = 1\n".to_owned(),
            Some((section, "price")) => format!("[{section}]\nbase = 'http://127.0.0.1:9'\n"),
            _ => String::new(),
        };
        let file = file.as_str();
        let config =
            load(file, Flags::default(), &person).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        let default = load(file, Flags::default(), &person[..2]).unwrap();
        assert!(config != default, "{} changes nothing", row.name);
    }
}

#[test]
fn a_vendors_key_goes_to_nobody_else_unless_it_is_said() {
    let check = |file: &str, more: &[(&str, &str)], key: Option<&str>, kept_back: Option<&str>| {
        let environment = [[("OPENAI_API_KEY", "sk-1"), ("MINE", "sk-2")].as_slice(), more].concat();
        let openai = load(file, Flags::default(), &environment).unwrap().models.openai;
        assert_eq!(openai.key.as_ref().map(Secret::reveal), key, "{file} {more:?}");
        assert_eq!(openai.kept_back.map(|(name, _)| name).as_deref(), kept_back, "{file} {more:?}");
    };
    let base = "[models.openai]\nbase = 'http://127.0.0.1:1/v1'\n";
    check("", &[], Some("sk-1"), None);
    check("[models.openai]\nbase = 'https://api.openai.com/v1/'\n", &[], Some("sk-1"), None);
    check(base, &[], None, Some("OPENAI_API_KEY"));
    check(&format!("{base}key_env = 'OPENAI_API_KEY'\n"), &[], Some("sk-1"), None);
    check(&format!("{base}key_env = 'MINE'\n"), &[], Some("sk-2"), None);
    // As everywhere, the key is for the address that stands beside it.
    let beside = ("OPENAI_BASE_URL", "http://127.0.0.1:2/v1");
    check("", &[beside], Some("sk-1"), None);
    check(
        "",
        &[beside, ("LAMPLIGHT_MODELS_OPENAI_BASE", "http://127.0.0.1:1/v1")],
        None,
        Some("OPENAI_API_KEY"),
    );
}
