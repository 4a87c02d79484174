//! The gateway, over TCP: as a program inside sees it, with connections in the place of a guest's streams, and by a token.

use crate::load::TOKEN;
use anyhow::Result;
use async_trait::async_trait;
use lamplight_domain::Network;
use lamplight_domain::event::Contact;
use lamplight_gateway::{
    Arrivals, Asker, Doorkeeper, Gateway, Grant, Ledger, NotReserved, Outside, Reservation, Secret, Tariff,
    Upstream, Upstreams, Used,
};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Nobody;

#[async_trait]
impl Ledger for Nobody {
    fn is_bounded(&self) -> bool {
        false
    }
    async fn reserve(&self, _: u64) -> Result<Reservation, NotReserved> {
        Ok(Reservation::new(()))
    }
    async fn used(&self, _: Used) {}
    fn may_push(&self) -> bool {
        true
    }
    async fn pushed(&self, _: &str) {}
    async fn contacted(&self, _: Contact) {}
    async fn refused(&self, _: &str) {}
}

struct Keeper(Asker);

#[async_trait]
impl Doorkeeper for Keeper {
    async fn admit(&self, token: &str) -> Option<Asker> {
        (token == TOKEN).then(|| self.0.clone())
    }
}

pub(crate) async fn serve(ports: [u16; 3], upstream: &str, repository: &str) -> Result<()> {
    let [port, proxy_port, token_port] = ports;
    let openai = Some(Upstream { base: upstream.to_owned(), key: Secret::new("key"), tariff: Tariff::Free });
    let upstreams = Upstreams { openai, ..Upstreams::default() };
    let outside = Outside { allow_private: vec!["127.0.0.1".parse()?], ..Outside::default() };
    let gateway = Arc::new(Gateway::new(upstreams, outside)?);
    let grant = Arc::new(Grant {
        session: "01JAZZZZZZZZZZZZZZZZZZZZZZ".parse()?,
        repository: repository.into(),
        branch: "lamplight/x".to_owned(),
        base: "main".to_owned(),
        rewrite: false,
        elsewhere: None,
        children: None,
        models: true,
        network: Network::Open,
    });
    let arrivals = Arrivals {
        tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, proxy_port)).await?,
        dns: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?,
        destination: |_| Ok(None),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut streams = JoinSet::new();
    let way_out = gateway.way_out(grant.clone(), Arc::new(Nobody), &[]);
    let gone = CancellationToken::new();
    let asker = Asker { grant: grant.clone(), ledger: Arc::new(Nobody), way_out: way_out.clone(), gone };
    let by_token = TcpListener::bind((Ipv4Addr::LOCALHOST, token_port)).await?;
    let (web, listening) = (gateway.clone(), gateway.clone());
    streams.spawn(async move { web.serve_web(way_out, arrivals).await });
    streams.spawn(async move { listening.listen(by_token, Arc::new(Keeper(asker))).await });
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                socket.set_nodelay(true)?;
                let (gateway, grant) = (gateway.clone(), grant.clone());
                streams.spawn(async move {
                    let _broken = gateway.serve(grant, Arc::new(Nobody), socket).await;
                });
            }
            Some(_) = streams.join_next() => {}
        }
    }
}
