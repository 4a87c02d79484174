//! The way to a PostgreSQL on another machine is encrypted, and whoever answers there has to prove who it is.
//!
//! The other machine is an address of this one's own network: there the server listens at the usual port.

use crate::cluster::Cluster;
use crate::support::Place;
use lamplight_store::{PostgresAddress, Store, StoreError};
use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Somebody whom we trust to say who others are, and one of those.
struct Authority {
    certificate: PathBuf,
    server: PathBuf,
    key: PathBuf,
}

impl Authority {
    /// In this directory; its server is called so (a subject's alternative name, as OpenSSL writes it).
    fn make(dir: &Path, server: &str) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let path = |name: &str| dir.join(name);
        std::fs::write(path("empty.cnf"), "[req]\ndistinguished_name = name\n[name]\n").unwrap();
        let sign = |name: &str, extensions: &[&str], signed_by: Option<&str>| {
            let mut openssl = Command::new("openssl");
            openssl.current_dir(dir).args(["req", "-x509", "-config", "empty.cnf", "-days", "2", "-nodes"]);
            openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
            openssl.args(["-subj", &format!("/CN={name}"), "-keyout", &format!("{name}.key")]);
            openssl.args(["-out", &format!("{name}.crt")]);
            openssl.args(extensions.iter().flat_map(|extension| ["-addext", extension]));
            if let Some(by) = signed_by {
                openssl.args(["-CA", &format!("{by}.crt"), "-CAkey", &format!("{by}.key")]);
            }
            let made = openssl.output().expect("openssl, which comes with PostgreSQL");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        sign("authority", &["basicConstraints=critical,CA:TRUE"], None);
        let of_server = ["basicConstraints=critical,CA:FALSE", &format!("subjectAltName={server}")];
        sign("server", &of_server, Some("authority"));
        Self { certificate: path("authority.crt"), server: path("server.crt"), key: path("server.key") }
    }
}

/// Has it listen at that address, encrypted where somebody vouches for it.
fn listen(cluster: &mut Cluster, address: Ipv4Addr, authority: Option<&Authority>) {
    let dir = cluster.socket().parent().unwrap().to_owned();
    let mut rules = File::options().append(true).open(dir.join("data/pg_hba.conf")).unwrap();
    rules.write_all(format!("host all all {address}/32 trust\n").as_bytes()).unwrap();
    let mut settings = vec![format!("listen_addresses = '{address}'")];
    settings.push(format!("ssl = {}", if authority.is_some() { "on" } else { "off" }));
    for (name, file) in authority.into_iter().flat_map(|by| [("cert", &by.server), ("key", &by.key)]) {
        let to = dir.join(format!("server.{name}"));
        // What PostgreSQL demands of a key: that it is its own, and nobody else's.
        let owner = std::os::unix::fs::MetadataExt::uid(&dir.metadata().unwrap());
        std::fs::copy(file, &to).unwrap();
        std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&to, Some(owner), None).unwrap();
        settings.push(format!("ssl_{name}_file = '{}'", to.display()));
    }
    for setting in settings {
        cluster.sql(&format!("ALTER SYSTEM SET {setting}")).unwrap();
    }
    cluster.crash();
    cluster.go_on();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_elsewhere_is_spoken_to_in_private_or_not_at_all() {
    let mut place = Place::postgres();
    let [high, low] = [8, 0].map(|shift| (std::process::id() >> shift) as u8);
    let address = Ipv4Addr::new(127, 83, high, low | 1);
    let ours = Authority::make(&place.path().join("ours"), &format!("IP:{address}"));
    let others = Authority::make(&place.path().join("others"), "DNS:database.example");

    let dir = place.path().to_owned();
    let open = |authority: &Authority, mode: &str| -> Result<Store, StoreError> {
        let url = format!("postgres://lamplight@{address}/postgres?sslmode={mode}");
        Store::open_postgres(&dir, &PostgresAddress::new(&url, Some(&authority.certificate)).unwrap())
    };
    let refused = |authority: &Authority, why: &str| {
        let error = open(authority, "require").err().expect(why);
        let said = format!("{:#}", anyhow::Error::from(error));
        assert!(said.contains(why), "{said}");
    };

    listen(place.cluster.as_mut().unwrap(), address, Some(&ours));
    let store = open(&ours, "require").unwrap();
    let cluster = place.cluster.as_mut().unwrap();
    let kinds = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'lamplight'";
    assert_eq!(cluster.sql(kinds).unwrap(), "t", "every connection is encrypted");
    store.close().await;
    refused(&others, "certificate");

    listen(cluster, address, Some(&others));
    refused(&others, "certificate");

    listen(cluster, address, None);
    refused(&ours, "TLS");
    let store = open(&ours, "disable").unwrap();
    assert_eq!(cluster.sql(kinds).unwrap(), "f", "as was asked for");
    store.close().await;
}
