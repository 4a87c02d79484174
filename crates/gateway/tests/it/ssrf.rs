//! Everything that a program inside could say to reach what is not public, said in every way that there is; nothing is connected to,
//! and each is refused as it should be. Prints a table.

use crate::stage::{Hosts, Stage};
use lamplight_domain::Network;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is no host, or one that only some programs understand.
    Unread,
    /// It has no public address.
    Private,
    NoSuchName,
    /// The head has no end in time, or means two things.
    Refused(&'static str),
}
use Why::{NoSuchName, Private, Refused, Unread};

impl Why {
    fn status(self) -> &'static str {
        match self {
            Unread => "HTTP/1.1 400 ",
            Private => "HTTP/1.1 403 ",
            NoSuchName => "HTTP/1.1 502 ",
            Refused(status) => status,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Unread => "this is not a request",
            Private => "it has no public address",
            NoSuchName => "there is no such name",
            Refused(_) => "",
        }
    }

    /// Source: RFC 1928, 6.
    fn socks_reply(self) -> u8 {
        match self {
            Unread | Private => 2,
            NoSuchName => 4,
            Refused(_) => 1,
        }
    }
}

/// Hosts, as a client would write them before the port.
#[rustfmt::skip]
const HOSTS: &[(&str, Why)] = &[
    // By name.
    ("loopback.test", Private), ("LOOPBACK.test", Private), ("loopback.test.", Private), ("other-loopback.test", Private),
    ("private.test", Private), ("metadata.test", Private), ("azure.test", Private), ("cgnat.test", Private),
    ("unspecified.test", Private), ("broadcast.test", Private), ("multicast.test", Private), ("v6-loopback.test", Private),
    ("v6-metadata.test", Private), ("v6-link.test", Private), ("mapped.test", Private), ("compatible.test", Private),
    ("nat64.test", Private), ("sixtofour.test", Private), ("teredo.test", Private), ("alias.test", Private),
    ("no-such-name.test", NoSuchName), ("localhost", NoSuchName), ("loopback.test..", Unread), ("loopback..test", Unread),
    // By address, in the usual spelling.
    ("127.0.0.1", Private), ("127.0.0.1.", Private), ("127.1.2.3", Private), ("0.0.0.0", Private), ("10.0.0.1", Private),
    ("172.16.0.1", Private), ("192.168.0.1", Private), ("169.254.169.254", Private), ("168.63.129.16", Private),
    ("100.64.0.1", Private), ("198.18.0.1", Private), ("198.18.77.7", Private), ("224.0.0.1", Private), ("255.255.255.255", Private),
    ("[::]", Private), ("[::1]", Private), ("[0:0:0:0:0:0:0:1]", Private), ("[::ffff:127.0.0.1]", Private), ("[::ffff:7f00:1]", Private),
    ("[::ffff:0:127.0.0.1]", Private), ("[::127.0.0.1]", Private), ("[64:ff9b::7f00:1]", Private), ("[64:ff9b:1::7f00:1]", Private),
    ("[2002:7f00:1::]", Private), ("[2001::7f00:1]", Private), ("[fe80::1]", Private), ("[fc00::1]", Private),
    ("[fd00:ec2::254]", Private), ("[ff02::1]", Private), ("[100::1]", Private),
    // Decimal, octal, hexadecimal, short.
    ("2130706433", Unread), ("017700000001", Unread), ("0x7f000001", Unread), ("0X7F000001", Unread), ("0x7f.0.0.1", Unread),
    ("0177.0.0.1", Unread), ("127.0.0.01", Unread), ("127.1", Unread), ("127.0.1", Unread), ("0", Unread), ("256.0.0.1", Unread),
    ("127.0.0.1.5", Unread), ("loopback.0x7f", Unread), ("4294967297", Unread),
    // With zones, with bytes in disguise, in other scripts.
    ("[::1%25lo]", Unread), ("[fe80::1%eth0]", Unread), ("127.0.0.1%00.public.test", Unread), ("%31%32%37.0.0.1", Unread),
    ("loopback%2etest", Unread), ("127。0。0。1", Unread), ("①②⑦.0.0.1", Unread), ("１２７.0.0.1", Unread), ("loopback．test", Unread),
    ("[::1]x", Unread), ("[::1", Unread), ("::1", Unread), ("[v1.127.0.0.1]", Unread), ("*.test", Unread),
    // Somebody else's name in front.
    ("public.test@127.0.0.1", Unread), ("user:password@loopback.test", Unread), ("@loopback.test", Unread),
    ("127.0.0.1\\@public.test", Unread), ("public.test\t127.0.0.1", Unread), ("public.test 127.0.0.1", Unread),
];

/// Whole heads; `$` is the victim's address, which is also what `loopback.test` leads to.
#[rustfmt::skip]
const HEADS: &[(&str, Why)] = &[
    // One thing in the first line, another in a field.
    ("GET http://loopback.test:$/ HTTP/1.1\r\nHost: service.test", Private),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nHost: 127.0.0.1:$", NoSuchName),
    ("CONNECT no-such-name.test:80 HTTP/1.1\r\nHost: 127.0.0.1:$", NoSuchName),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nHost: 127.0.0.1:$\r\nHost: loopback.test", NoSuchName),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nX-Forwarded-Host: 127.0.0.1:$\r\nForwarded: host=127.0.0.1:$", NoSuchName),
    // Addresses that are read in two ways.
    ("GET / HTTP/1.1\r\nHost: 127.0.0.1:$", Unread),
    ("GET /http://127.0.0.1:$/ HTTP/1.1\r\nHost: 127.0.0.1:$", Unread),
    ("GET //127.0.0.1:$/ HTTP/1.1\r\nHost: 127.0.0.1:$", Unread),
    ("GET http:127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET http:/127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET http:///127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET http:\\\\127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET https://127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET gopher://127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET file:///etc/passwd HTTP/1.1", Unread),
    ("GET http://no-such-name.test#@127.0.0.1:$/ HTTP/1.1", NoSuchName),
    ("GET http://no-such-name.test?@127.0.0.1:$/ HTTP/1.1", NoSuchName),
    ("GET http://no-such-name.test/@127.0.0.1:$/ HTTP/1.1", NoSuchName),
    ("GET http://no-such-name.test:80@127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET http://no-such-name.test:80:$/ HTTP/1.1", Unread),
    ("GET http://127.0.0.1:$:80/ HTTP/1.1", Unread),
    ("GET http://127.0.0.1:0$/ HTTP/1.1", Private),
    ("CONNECT 127.0.0.1 HTTP/1.1", Unread),
    ("CONNECT http://127.0.0.1:$ HTTP/1.1", Unread),
    ("CONNECT 127.0.0.1:22 HTTP/1.1", Private),
    ("CONNECT loopback.test:25 HTTP/1.1", Private),
    ("CONNECT 127.0.0.1:$/ HTTP/1.1", Unread),
    ("CONNECT 127.0.0.1:0 HTTP/1.1", Unread),
    ("CONNECT 127.0.0.1:65536 HTTP/1.1", Unread),
    ("connect 127.0.0.1:$ HTTP/1.1", Unread),
    ("CONNECT 127.0.0.1:$ HTTP/2.0", Unread),
    // One request inside another. Where the outer one is sound it alone counts.
    ("CONNECT no-such-name.test:80 HTTP/1.1\r\n Host: x\r\nCONNECT 127.0.0.1:$ HTTP/1.1", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nA: b\r\n folded: c", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nA: b\nGET http://127.0.0.1:$/ HTTP/1.1", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nA : b", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 50", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nContent-Length: 5, 50", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nContent-Length: +5", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\nTransfer-Encoding: xchunked", Unread),
    ("GET http://no-such-name.test/ HTTP/1.0\r\nTransfer-Encoding: chunked", Unread),
    ("GET http://no-such-name.test/ HTTP/1.1\r\n\r\nGET http://127.0.0.1:$/ HTTP/1.1\r\nHost: 127.0.0.1:$", NoSuchName),
    ("GET http://no-such-name.test/\u{0}http://127.0.0.1:$/ HTTP/1.1", Unread),
];

#[tokio::test]
async fn nothing_that_is_not_public_is_connected_to() {
    let stage = Stage::open(Network::Open, &[]).await;
    let port = stage.victim.port();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut check = |way: &str, what: &str, why: Why, right: bool, said: &str| {
        count += 1;
        println!(
            "| {way} | {} | {why:?} | {} |",
            what.escape_debug(),
            said.lines().last().unwrap_or_default()
        );
        if !right {
            wrong.push(format!("{way} {what:?}: {said:?}, not {why:?}"));
        }
    };
    println!("| way | what | expected | said |\n|---|---|---|---|");
    let is = |said: &str, why: Why| said.starts_with(why.status()) && said.contains(why.words());
    for (host, why) in HOSTS.iter().copied() {
        for port in [port, 22] {
            let said = stage.connect(&format!("{host}:{port}")).await;
            check("CONNECT", host, why, is(&said, why), &said);
        }
        let said = stage.http(&format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: public.test")).await;
        check("GET", host, why, is(&said, why), &said);
        let name = [&[u8::try_from(host.len()).unwrap()], host.as_bytes()].concat();
        let reply = stage.socks(3, &name, port).await;
        check("SOCKS, name", host, why, reply == Some(why.socks_reply()), &format!("{reply:?}"));
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            let reply = stage.socks(1, &address.octets(), port).await;
            check("SOCKS, address", host, why, reply == Some(2), &format!("{reply:?}"));
            let said = stage.relay(SocketAddrV4::new(address, port)).await;
            check("as to anywhere", host, why, said.is_err(), &format!("{said:?}"));
        }
        if let Ok(IpAddr::V6(address)) = host.trim_matches(['[', ']']).parse() {
            let reply = stage.socks(4, &address.octets(), port).await;
            check("SOCKS, address", host, why, reply == Some(2), &format!("{reply:?}"));
        }
        if !host.contains(['[', ' ', '\t', ':', '@']) && why != Unread {
            let (code, address) = stage.ask(host.trim_end_matches('.'), 1).await;
            let right = if host == "localhost" { code == 0 } else { (code, address) == (3, None) };
            check("asked for", host, why, right, &format!("{code} {address:?}"));
        }
    }
    for (head, why) in HEADS.iter().copied() {
        let head = head.replace('$', &port.to_string());
        let said = stage.http(&head).await;
        check("head", &head, why, is(&said, why), &said);
    }
    let endless = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nA: {}", "a".repeat(80_000));
    let said = stage.http(&endless).await;
    let why = Refused("HTTP/1.1 431 ");
    check("head", "without end", why, is(&said, why), &said);
    println!("\n{count} tries");
    assert!(count >= 40 && wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stage.reached(), 0);
}

/// Without this the table would prove nothing.
#[tokio::test]
async fn the_same_ways_lead_to_what_is_allowed() {
    let stage = Stage::open(Network::Open, &["service.test", "127.0.0.1"]).await;
    let port = stage.victim.port();
    assert!(stage.connect(&format!("service.test:{port}")).await.ends_with("\r\n\r\nhello"));
    assert!(stage.connect(&format!("127.0.0.1:{port}")).await.ends_with("\r\n\r\nhello"));
    let said = stage.http(&format!("GET http://service.test:{port}/x HTTP/1.1\r\nProxy-Connection: a")).await;
    assert_eq!(
        said,
        format!("GET /x HTTP/1.1\r\nHost: service.test:{port}\r\nConnection: close\r\n\r\nhello")
    );
    assert_eq!(stage.socks(3, b"\x0cservice.test", port).await, Some(0));
    assert_eq!(stage.socks(1, &[127, 0, 0, 1], port).await, Some(0));
    let relayed = stage.relay(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).await.unwrap();
    assert_eq!(relayed, "hello");
    assert_eq!(stage.reached(), 6);
}

/// A server that may be reached sends its client to one that may not; the client asks the proxy again.
#[tokio::test]
async fn a_redirection_leads_nowhere_that_may_not_be_reached() {
    let stage = Stage::open(Network::Open, &["service.test"]).await;
    let port = stage.victim.port();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = listener.local_addr().unwrap().port();
    let targets = ["127.0.0.1", "loopback.test", "[::1]", "metadata.test"];
    let locations = targets.map(|host| format!("http://{host}:{port}/"));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        for location in locations {
            let (mut connection, _) = listener.accept().await.unwrap();
            let _head = connection.read(&mut [0; 4096]).await.unwrap();
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let proxy = reqwest::Proxy::http(format!("http://{}", stage.proxy)).unwrap();
    let client = reqwest::Client::builder().proxy(proxy).build().unwrap();
    for target in targets {
        let answer = client.get(format!("http://service.test:{service}/")).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{target}");
        assert!(answer.text().await.unwrap().contains("it has no public address"), "{target}");
    }
    assert_eq!(stage.reached(), 0);
}

/// A name whose answer was public when it was looked up, and is loopback when it is connected to: the first answer is what is
/// dialled, and once that is too old the second is judged by itself.
#[tokio::test]
async fn a_name_that_moves_inside_after_it_was_looked_up_is_not_followed() {
    let answers: Vec<Vec<IpAddr>> =
        ["203.0.114.1", "127.0.0.1"].map(|text| vec![text.parse().unwrap()]).to_vec();
    let hosts = Hosts { answers: [("rebinding.test", answers)].into(), ..Hosts::default() };
    let stage = Stage::with(Network::Open, &[], hosts).await;
    let port = stage.victim.port();
    let (code, address) = stage.ask("rebinding.test", 1).await;
    assert_eq!(code, 0);
    // Only the clock is moved: what was found is too old then.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    for host in ["rebinding.test".to_owned(), address.unwrap().to_string()] {
        let said = stage.connect(&format!("{host}:{port}")).await;
        assert!(said.starts_with("HTTP/1.1 403 ") && said.contains("it has no public address"), "{said}");
        let relayed = stage.relay(SocketAddrV4::new(address.unwrap(), port)).await;
        assert!(relayed.is_err(), "{relayed:?}");
    }
    assert!(stage.hosts.asked.load(Ordering::SeqCst) > 1);
    assert_eq!(stage.reached(), 0);
}

/// What a proxy passes on of two requests in one connection goes to the one host that was judged.
#[tokio::test]
async fn a_second_request_on_a_connection_goes_where_the_first_went() {
    let stage = Stage::open(Network::Open, &["service.test"]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service: SocketAddr = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = connection.split();
        let _ended = tokio::io::copy(&mut reader, &mut writer).await;
        let _gone = writer.shutdown().await;
    });
    let second = format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\nHost: 127.0.0.1", stage.victim.port());
    let said =
        stage.http(&format!("GET http://service.test:{}/ HTTP/1.1\r\n\r\n{second}", service.port())).await;
    assert!(said.ends_with(&format!("Connection: close\r\n\r\n{second}\r\n\r\nhello")), "{said}");
    assert_eq!(stage.reached(), 0);
}
