//! What programs inside reach of the outside, and what they do not, by way of the proxy and of names.

use crate::stage::{Hosts, Stage, question};
use lamplight_domain::Network;
use std::net::Ipv4Addr;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::Instant;

#[tokio::test]
async fn an_answer_that_changes_is_dialled_as_it_was_judged() {
    let changing = |first: &str, then: &str| [first, then].map(|text| vec![text.parse().unwrap()]).to_vec();
    let answers = [
        ("rebinding.test", changing("127.0.0.1", "127.0.0.1")),
        ("moving.test", changing("127.0.0.1", "127.0.0.2")),
    ];
    let stage =
        Stage::with(Network::Open, &["moving.test"], Hosts { answers: answers.into(), ..Hosts::default() })
            .await;
    let port = stage.victim.port();
    // Asked for once, and led to where the first answer was; nobody listens where the second is.
    let (code, address) = stage.ask("moving.test", 1).await;
    assert_eq!(code, 0);
    for host in [address.unwrap().to_string(), "moving.test".to_owned()] {
        let said = stage.connect(&format!("{host}:{port}")).await;
        assert!(said.ends_with("\r\n\r\nhello"), "{host}: {said}");
    }
    assert_eq!((stage.hosts.asked.load(Ordering::SeqCst), stage.reached()), (1, 2));
    // What was refused is asked for again, and judged again.
    for asked in 2..4 {
        let said = stage.connect(&format!("rebinding.test:{port}")).await;
        assert!(said.contains("it has no public address"), "{said}");
        assert_eq!(stage.hosts.asked.load(Ordering::SeqCst), asked);
    }
    assert_eq!(stage.reached(), 2);
}

#[tokio::test]
async fn names_get_an_address_that_stands_for_them() {
    let stage = Stage::open(Network::Open, &["service.test"]).await;
    let (code, address) = stage.ask("service.test", 1).await;
    let address = address.unwrap();
    assert_eq!((code, address.octets()[0]), (0, 198));
    // By it, the name is reached.
    let said = stage.connect(&format!("{address}:{}", stage.victim.port())).await;
    assert!(said.ends_with("\r\n\r\nhello"), "{said}");
    assert_eq!(stage.contacts(), [("service.test".to_owned(), None)]);
    assert_eq!(stage.ledger.contacted.lock().unwrap()[0].known_as, Some(address));
    assert_eq!(stage.ask("Service.TEST", 1).await, (0, Some(address)));
    // No other address, no service; the way back.
    for kind in [28, 64, 65] {
        assert_eq!(stage.ask("service.test", kind).await, (0, None));
    }
    for kind in [15, 16, 33, 255] {
        assert_eq!(stage.ask("service.test", kind).await, (4, None));
    }
    let [a, b, c, d] = address.octets();
    let back = stage.question(&question(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"), 12)).await;
    assert!(back.ends_with(b"\x07service\x04test\x00"), "{back:?}");
    assert_eq!(stage.ask("a.localhost", 1).await, (0, Some(Ipv4Addr::LOCALHOST)));
    // What there is not.
    assert_eq!(stage.ask("no-such-name.test", 1).await, (3, None));
    assert_eq!(stage.ask("private.test", 1).await, (3, None));
    assert_eq!(stage.ask("broken.test", 1).await, (2, None));
    assert_eq!(stage.ask("1.0.0.127.in-addr.arpa", 12).await, (3, None));
    assert_eq!(stage.ask("127.0.0.1", 1).await, (3, None));
}

#[tokio::test]
async fn strange_questions_harm_nobody() {
    let stage = Stage::open(Network::Open, &[]).await;
    let mut two = question("a.test", 1);
    two[5] = 2;
    let mut pointing = question("a.test", 1);
    pointing[12] = 0xc0;
    let mut update = question("a.test", 1);
    update[2] = 0x28;
    let mut chaos = question("a.test", 1);
    *chaos.last_mut().unwrap() = 3;
    let cut = question("a.test", 1)[..15].to_vec();
    for (strange, code) in [(two, 1), (pointing, 1), (cut, 1), (update, 4), (chaos, 4)] {
        assert_eq!(stage.question(&strange).await[3] & 15, code, "{strange:?}");
    }
    let mut random = fastrand::Rng::with_seed(7);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..2_000 {
        let mut noise = question("some.name.test", 1);
        for _ in 0..random.usize(1..8) {
            let at = random.usize(..noise.len());
            noise[at] = random.u8(..);
        }
        socket.send_to(&noise[..random.usize(..=noise.len())], stage.dns).await.unwrap();
    }
    assert_eq!(stage.ask("localhost", 1).await, (0, Some(Ipv4Addr::LOCALHOST)));
}

#[tokio::test]
async fn a_list_of_hosts_is_all_there_is() {
    let hosts = ["service.test", "*.below.test"].map(|host| host.parse().unwrap()).to_vec();
    let stage = Stage::open(Network::Allowlist { hosts }, &["service.test", "loopback.test"]).await;
    let port = stage.victim.port();
    assert!(stage.connect(&format!("service.test:{port}")).await.starts_with("HTTP/1.1 200 "));
    let asked = stage.hosts.asked.load(Ordering::SeqCst);
    for host in ["loopback.test", "public.test", "127.0.0.1", "1.1.1.1", "below.test", "badbelow.test"] {
        let said = stage.connect(&format!("{host}:{port}")).await;
        assert!(said.starts_with("HTTP/1.1 403 "), "{host}: {said}");
        assert!(said.contains("network policy"), "{host}: {said}");
    }
    assert_eq!(stage.ask("public.test", 1).await, (3, None));
    // Nobody outside hears of a name that is not on it.
    assert_eq!(stage.hosts.asked.load(Ordering::SeqCst), asked);
    assert_eq!(stage.reached(), 1);
    let refused: Vec<String> =
        stage.contacts().into_iter().filter(|(_, refused)| refused.is_some()).map(|(host, _)| host).collect();
    // Each once, however often it is asked for.
    assert_eq!(
        refused,
        ["loopback.test", "public.test", "127.0.0.1", "1.1.1.1", "below.test", "badbelow.test"]
    );
}

#[tokio::test]
async fn a_session_without_network_reaches_nothing() {
    let stage = Stage::open(Network::None, &["service.test"]).await;
    let said = stage.connect(&format!("service.test:{}", stage.victim.port())).await;
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    assert_eq!(stage.ask("service.test", 1).await, (3, None));
    assert_eq!(stage.reached(), 0);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let stage = Stage::open(Network::Open, &[]).await;
    let said = stage.http(&format!("GET http://a.test/ HTTP/1.1\r\nA: {}", "a".repeat(80_000))).await;
    assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    assert_eq!(stage.say(&[5, 1, 2]).await, [5, 0xff]);
    assert_eq!(stage.say(&[5, 1, 0, 5, 2, 0, 1, 1, 1, 1, 1, 0, 80]).await[3], 7, "no listening");
    assert_eq!(stage.say(&[5, 1, 0, 5, 1, 0, 9]).await[3], 8, "no such kind of address");
}

#[tokio::test]
async fn what_breaks_outside_does_not_look_like_an_end() {
    let stage = Stage::open(Network::Open, &["service.test"]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut connection = TcpStream::connect(stage.proxy).await.unwrap();
    connection.write_all(format!("CONNECT service.test:{port} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let (outside, _) = listener.accept().await.unwrap();
    let mut established = [0; 39];
    connection.read_exact(&mut established).await.unwrap();
    outside.set_zero_linger().unwrap();
    drop(outside);
    let error = connection.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_end_in_one_direction_leaves_the_other() {
    let stage = Stage::open(Network::Open, &["service.test"]).await;
    let mut connection = TcpStream::connect(stage.proxy).await.unwrap();
    let head = format!("CONNECT service.test:{} HTTP/1.1\r\n\r\n", stage.victim.port());
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut established = [0; 39];
    connection.read_exact(&mut established).await.unwrap();
    let all: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let (mut reader, mut writer) = connection.split();
    let mut back = Vec::new();
    let (sent, got) = tokio::join!(
        async {
            writer.write_all(&all).await?;
            writer.shutdown().await
        },
        reader.read_to_end(&mut back)
    );
    sent.unwrap();
    got.unwrap();
    assert!(back == all, "{} bytes came back of {}", back.len(), all.len());
}

/// Two connections of one session, each of which sends and gets back 75,000 bytes where 100,000 a second may pass.
#[tokio::test]
async fn what_is_more_than_may_pass_in_a_minute_is_slowed_down_and_all_arrives() {
    const BYTES: usize = 75_000;
    let stage =
        Stage::paced(Network::Open, &["service.test"], Hosts::default(), NonZeroU64::new(6_000_000)).await;
    let head = format!("CONNECT service.test:{} HTTP/1.1\r\n\r\n", stage.victim.port());
    let echoed = async || {
        let mut connection = TcpStream::connect(stage.proxy).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 39];
        connection.read_exact(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"established\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
        connection.write_all(&[7; BYTES]).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut echo = Vec::new();
        connection.read_to_end(&mut echo).await.unwrap();
        assert!(echo == [7; BYTES], "{} bytes came", echo.len());
    };
    let begun = Instant::now();
    tokio::join!(echoed(), echoed());
    // The first 100,000 may pass at once.
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
}
