//! The way out: what is asked for inside arrives here, as what it is, and stands in nobody's way.

use super::isolation::{connect, not_connected};
use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::egress::Egress;
use crate::link::Link;
use crate::provider::inside;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Anything that is nobody's: addresses for documentation (RFC 5737).
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

async fn with_a_way_out(stage: &Stage<'_>) -> Result<(Inside, Egress), Verdict> {
    let inside = stage.enter(&crate::provider::SandboxSpec { egress: true, ..stage.spec(1) }).await?;
    let egress = egress(stage, &inside).await?;
    Ok((inside, egress))
}

async fn egress(stage: &Stage<'_>, inside: &Inside) -> Result<Egress, Verdict> {
    match stage.provider.egress(&inside.handle).await? {
        Some(egress) => Ok(egress),
        None => Err(Verdict::Skipped("sandboxes have no way out but the gateway")),
    }
}

/// Sends a line to an address, and prints what comes back.
fn exchange(address: &str, port: u16) -> String {
    format!(
        "python3 -c 'import socket\ns = socket.create_connection((\"{address}\", {port}), 10)\n\
         s.sendall(b\"ask\")\ns.shutdown(1)\nprint(s.makefile().read())'"
    )
}

/// Takes one connection, reads it to its end, answers, and says what it was for.
async fn take(egress: &Egress) -> Result<(Option<String>, String), Verdict> {
    let (mut connection, _) = egress.tcp.accept().await?;
    let destination = Egress::destination(&connection)?.map(|address| address.to_string());
    let mut asked = String::new();
    connection.read_to_string(&mut asked).await?;
    connection.write_all(b"answer").await?;
    Ok((destination, asked))
}

async fn both(inside: &Inside, egress: &Egress, command: &str) -> Result<(Option<String>, String), Verdict> {
    let (said, taken) = tokio::join!(inside.sh(command), take(egress));
    same("answered", said?, "answer".into())?;
    taken
}

pub(super) async fn the_gateway_is_reached_over_the_link(stage: &Stage<'_>) -> Case {
    let handle = stage.create(&stage.spec(1)).await?;
    let (link, mut gateway) = Link::open(stage.provider.dial(&handle).await?).await?;
    let inside = stage.inside(&handle, link);
    let address: SocketAddr = inside.told(inside::GATEWAY).parse()?;
    let answer = async {
        let mut stream = gateway.recv().await.ok_or_else(|| failed("the link was cut"))?;
        let mut asked = String::new();
        stream.read_to_string(&mut asked).await?;
        stream.write_all(b"answer").await?;
        stream.shutdown().await?;
        Ok::<_, Verdict>(asked)
    };
    let command = exchange(&address.ip().to_string(), address.port());
    let (said, asked) = tokio::join!(inside.sh(&command), answer);
    same("asked", asked?, "ask".into())?;
    same("answered", said?, "answer".into())
}

pub(super) async fn connections_arrive_with_where_they_are_for(stage: &Stage<'_>) -> Case {
    let (inside, egress) = with_a_way_out(stage).await?;
    for (address, port) in
        [("203.0.113.7", 443), ("10.1.2.3", 22), ("169.254.169.254", 80), ("8.8.8.8", 54321)]
    {
        let seen = both(&inside, &egress, &exchange(address, port)).await?;
        same("arrived", seen, (Some(format!("{address}:{port}")), "ask".into()))?;
    }
    Ok(())
}

pub(super) async fn names_are_asked_here_whoever_is_asked(stage: &Stage<'_>) -> Case {
    let (inside, egress) = with_a_way_out(stage).await?;
    for server in [inside::NAME_SERVER, Ipv4Addr::new(8, 8, 8, 8)] {
        let ask = format!(
            "python3 -c 'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(10)\n\
             s.connect((\"{server}\", 53))\ns.send(b\"ask\")\nprint(s.recv(9).decode())'"
        );
        let answer = async {
            let mut question = [0; 16];
            let (length, from) = egress.dns.recv_from(&mut question).await?;
            egress.dns.send_to(b"answer", from).await?;
            Ok::<_, std::io::Error>(question[..length].to_vec())
        };
        let (said, asked) = tokio::join!(inside.sh(&ask), answer);
        same("answered", said?, "answer".into())?;
        same("asked", asked?, b"ask".to_vec())?;
    }
    same(
        "resolv.conf",
        inside.sh("cat /etc/resolv.conf").await?,
        format!("nameserver {}", inside::NAME_SERVER),
    )
}

pub(super) async fn the_proxy_is_told_from_the_rest(stage: &Stage<'_>) -> Case {
    let (inside, egress) = with_a_way_out(stage).await?;
    let (address, port) = inside::PROXY;
    same(
        "arrived",
        both(&inside, &egress, &exchange(&address.to_string(), port)).await?,
        (None, "ask".into()),
    )
}

pub(super) async fn every_port_is_free_for_what_runs_inside(stage: &Stage<'_>) -> Case {
    let (inside, egress) = with_a_way_out(stage).await?;
    let listen = "import socket\nfor p in [22, 25, 53, 80, 443, 3000, 5432, 8000, 8080, 8443, 9418]:\n \
                  socket.create_server((\"\", p)); socket.create_server((\"::\", p), family=socket.AF_INET6, dualstack_ipv6=False)\n \
                  socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind((\"\", p))";
    inside.sh(&format!("python3 -c '{listen}'")).await?;
    // Nor does a listener of its own take what is for elsewhere.
    inside.start("listening", "exec python3 -um http.server 80 2>&1").await?;
    let seen = both(&inside, &egress, &exchange(&ELSEWHERE.to_string(), 80)).await?;
    same("arrived", seen, (Some(format!("{ELSEWHERE}:80")), "ask".into()))?;
    let own = inside::ADDRESS.to_string();
    for address in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "localhost", &own] {
        same(
            address,
            connect(&inside, "AF_INET", &format!("(\"{address}\", 80)")).await?,
            "connected".into(),
        )?;
    }
    Ok(())
}

pub(super) async fn what_is_not_asked_for_here_is_refused_at_once(stage: &Stage<'_>) -> Case {
    let (inside, _egress) = with_a_way_out(stage).await?;
    same(
        "interfaces",
        inside.sh("tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' '").await?,
        "lo".into(),
    )?;
    // A datagram, such as QUIC, so that programs fall back to TCP.
    let datagram = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(5)\n\
                    s.connect((\"203.0.113.7\", 443))\ns.send(b\"x\")\ntry: s.recv(1)\nexcept ConnectionRefusedError: print(\"refused\")";
    same("a datagram", inside.sh(&format!("python3 -c '{datagram}'")).await?, "refused".into())?;
    not_connected(&inside, "AF_INET6", "(\"2001:db8::1\", 443)").await?;
    not_connected(&inside, "AF_INET", "(\"127.0.0.1\", 80)").await
}

pub(super) async fn the_way_out_outlives_who_serves_it(stage: &Stage<'_>) -> Case {
    let (inside, egress) = with_a_way_out(stage).await?;
    let ask = exchange(&ELSEWHERE.to_string(), 443);
    both(&inside, &egress, &ask).await?;
    drop(egress);
    // Waits for whoever comes next, who has nothing but the handle.
    let next = async {
        match stage.subject.provider().egress(&inside.handle).await? {
            Some(egress) => take(&egress).await,
            None => Err(failed("nothing was handed out again")),
        }
    };
    let (said, taken) = tokio::join!(inside.sh(&ask), next);
    same("answered", said?, "answer".into())?;
    same("arrived", taken?, (Some(format!("{ELSEWHERE}:443")), "ask".into()))
}

pub(super) async fn nothing_inside_is_handed_the_way_out(stage: &Stage<'_>) -> Case {
    let (inside, _egress) = with_a_way_out(stage).await?;
    same(
        "sockets with a name",
        inside
            .sh("tail -n +2 /proc/net/unix | grep / | grep -vc ' /run/lamplight/root.sock$' || true")
            .await?,
        "0".into(),
    )?;
    inside.refused("ls /proc/1/fd/5").await?;
    inside.refused("ip route add 203.0.113.0/24 dev lo").await.map(|_| ())
}

pub(super) async fn two_sessions_share_no_way_out(stage: &Stage<'_>) -> Case {
    let (one, egress) = with_a_way_out(stage).await?;
    let other = stage.subject.session();
    let spec = crate::provider::SandboxSpec { egress: true, ..stage.spec_of(&other, 1) };
    let two = stage.enter(&spec).await?;
    let other_egress = self::egress(stage, &two).await?;
    for (inside, egress) in [(&one, &egress), (&two, &other_egress)] {
        both(inside, egress, &exchange(&ELSEWHERE.to_string(), 80)).await?;
    }
    // Nothing of the first arrives at the second.
    let ask = exchange(&ELSEWHERE.to_string(), 80);
    let at_the_second = tokio::select! {
        biased;
        taken = take(&other_egress) => taken.map(|_| true)?,
        asked = both(&one, &egress, &ask) => asked.map(|_| false)?,
    };
    same("arrived at the other", at_the_second, false)
}

pub(super) async fn without_a_way_out_there_is_none(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    same("handed out", stage.provider.egress(&inside.handle).await?.is_some(), false)?;
    let (address, port) = inside::PROXY;
    not_connected(&inside, "AF_INET", &format!("(\"{address}\", {port})")).await?;
    not_connected(&inside, "AF_INET", &format!("(\"{ELSEWHERE}\", 80)")).await
}

pub(super) async fn who_holds_on_does_not_keep_a_sandbox(stage: &Stage<'_>) -> Case {
    let (inside, egress) = with_a_way_out(stage).await?;
    stage.provider.destroy(&inside.handle, crate::provider::Files::Remove).await?;
    if let Some(left) = stage.subject.left_of(&stage.session) {
        same("left", left, Vec::new())?;
    }
    match stage.provider.egress(&inside.handle).await {
        Err(error) => same("what is gone", error.kind, crate::error::ErrorKind::Gone)?,
        Ok(_) => return Err(failed("something was handed out of what is gone")),
    }
    drop(egress);
    Ok(())
}
