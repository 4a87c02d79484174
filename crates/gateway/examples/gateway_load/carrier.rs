//! The least that can stand between a client and a model: a thread for each direction, which reads and writes.

use anyhow::Result;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

pub(crate) fn serve(port: u16, upstream: u16) -> Result<()> {
    for client in TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.incoming() {
        let (client, server) = (client?, TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?);
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || carry(from_client, server));
        std::thread::spawn(move || carry(from_server, client));
    }
    Ok(())
}

/// Until one of them is gone.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
