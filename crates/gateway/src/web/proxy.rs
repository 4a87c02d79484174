//! A proxy for programs that know of proxies: `CONNECT` and plain HTTP (RFC 9110, 9.3.6; RFC 9112, 3.2.2), SOCKS 5 (RFC 1928, 1929).
//! Which it is, the first byte says. What is asked for is judged and dialled as everything else.

use super::host::{Host, authority};
use super::relay::relay;
use super::session::{Refused, Session};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The longest head of a request, and how long it may take to arrive.
const MAX_HEAD_BYTES: usize = 32 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

const SOCKS_5: u8 = 5;

/// Serves one connection to its end.
pub(super) async fn serve<S>(session: &Session, mut client: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = within(HEAD_TIMEOUT, client.read_u8()).await?;
    if first == SOCKS_5 {
        return socks(session, client).await;
    }
    match Asked::read(&mut client, vec![first]).await? {
        Some(asked) => asked.pass(session, client).await,
        None => Ok(()),
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What a client of the proxy asks for.
pub(super) struct Asked {
    request: Request,
    /// What it has sent behind that.
    rest: Vec<u8>,
}

impl Asked {
    /// Reads a request that begins with `head`. `None`: it is none, and has been answered.
    pub(super) async fn read<S>(client: &mut S, mut head: Vec<u8>) -> io::Result<Option<Self>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(end) = within(HEAD_TIMEOUT, read_head(client, &mut head)).await? else {
            answer(client, "431 Request Header Fields Too Large", "", "the head is too long").await?;
            return Ok(None);
        };
        let rest = head.split_off(end);
        if let Some(request) = Request::parse(&head) {
            return Ok(Some(Self { request, rest }));
        }
        let text = "this is not a request that a proxy understands";
        answer(client, "400 Bad Request", "", text).await?;
        Ok(None)
    }

    /// The value of its `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<&str> {
        self.request.authorization.as_deref()
    }

    /// Answers that it has to say who it is.
    pub(super) async fn unauthorized(
        &self,
        client: &mut (impl AsyncWrite + Unpin),
        why: &str,
    ) -> io::Result<()> {
        let challenge = "proxy-authenticate: Basic realm=\"lamplight\"\r\n";
        answer(client, "407 Proxy Authentication Required", challenge, why).await
    }

    /// Connects it to what it asks for, until that ends.
    pub(super) async fn pass<S>(self, session: &Session, mut client: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { request, rest } = self;
        match session.connect(request.host.clone(), request.port).await {
            Ok(mut outside) => {
                match &request.forward {
                    Some(head) => outside.write_all(head).await?,
                    None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
                }
                session.pace.pass(rest.len()).await;
                outside.write_all(&rest).await?;
                relay(&session.pace, client, outside).await
            }
            Err(refused) => {
                let status = match &refused {
                    Refused::Forbidden(_) => "403 Forbidden",
                    Refused::NoSuchName | Refused::Unreachable(_) => "502 Bad Gateway",
                };
                let text = format!("{} cannot be reached from this sandbox: {refused}", request.host);
                answer(&mut client, status, "", &text).await
            }
        }
    }
}

/// Reads up to and with the empty line; where it ends. `None`: it is too long.
async fn read_head(client: &mut (impl AsyncRead + Unpin), head: &mut Vec<u8>) -> io::Result<Option<usize>> {
    const END: &[u8] = b"\r\n\r\n";
    loop {
        let looked_at = head.len().saturating_sub(END.len() - 1);
        if client.read_buf(head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = head[looked_at..].windows(END.len()).position(|window| window == END) {
            return Ok(Some(looked_at + at + END.len()));
        }
        if head.len() >= MAX_HEAD_BYTES {
            return Ok(None);
        }
    }
}

/// `fields` are further ones, each with its line's end.
async fn answer(
    client: &mut (impl AsyncWrite + Unpin),
    status: &str,
    fields: &str,
    text: &str,
) -> io::Result<()> {
    let length = text.len() + 1;
    let message = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n{fields}connection: close\r\n\r\n{text}\n"
    );
    client.write_all(message.as_bytes()).await?;
    client.shutdown().await
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    host: Host,
    port: u16,
    /// What the server is sent; `None` for a tunnel.
    forward: Option<Vec<u8>>,
    /// Who it says that it is.
    authorization: Option<String>,
}

/// Fields for the proxy, and what would keep the connection for a request to another host.
const OURS: [&str; 6] =
    ["connection", "host", "keep-alive", "proxy-authorization", "proxy-connection", "upgrade"];

impl Request {
    fn parse(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let [method, target, version] = lines.next()?.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let is_version = matches!(version, "HTTP/1.1" | "HTTP/1.0");
        if !is_version || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let fields: Vec<(&str, &str)> = lines.map(field).collect::<Option<_>>()?;
        let authorization = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
        let authorization = authorization.map(|(_, value)| value.trim().to_owned());
        if method == "CONNECT" {
            let (host, port) = authority(target, None).ok()?;
            return Some(Self { host, port, forward: None, authorization });
        }
        if !has_one_length(version, &fields) {
            return None;
        }
        let rest = strip_scheme(target)?;
        let (named, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = authority(named, Some(80)).ok()?;
        let path = path.split('#').next().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut forward =
            format!("{method} {slash}{path} {version}\r\nHost: {named}\r\nConnection: close\r\n");
        for (name, value) in fields {
            if !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
                forward.push_str(&format!("{name}:{value}\r\n"));
            }
        }
        forward.push_str("\r\n");
        Some(Self { host, port, forward: Some(forward.into_bytes()), authorization })
    }
}

fn strip_scheme(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_at_checked("http://".len())?;
    (scheme.eq_ignore_ascii_case("http://") && target.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some(rest)
}

/// A header field as it stands: no folded line, no space before the colon, no control character.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    let is_clean = !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
    (is_token && is_clean).then_some((name, value))
}

/// Whether everybody sees the body end at the same place. Source: RFC 9112, 6.1 and 6.3.
fn has_one_length(version: &str, fields: &[(&str, &str)]) -> bool {
    let named = |name: &str| {
        let values = fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.trim_matches([' ', '\t'])).collect::<Vec<_>>()
    };
    match (named("content-length").as_slice(), named("transfer-encoding").as_slice()) {
        ([], []) => true,
        ([length], []) => !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()),
        ([], [coding]) => version == "HTTP/1.1" && coding.eq_ignore_ascii_case("chunked"),
        _ => false,
    }
}

/// Replies of RFC 1928, 6.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Succeeded = 0,
    NotAllowed = 2,
    HostUnreachable = 4,
    CommandNotSupported = 7,
    AddressNotSupported = 8,
}

async fn socks<S>(session: &Session, mut client: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asked = within(HEAD_TIMEOUT, socks_request(&mut client)).await?;
    let (reply, outside) = match asked {
        Ok((host, port)) => match session.connect(host, port).await {
            Ok(outside) => (Reply::Succeeded, Some(outside)),
            Err(Refused::Forbidden(_)) => (Reply::NotAllowed, None),
            Err(Refused::NoSuchName | Refused::Unreachable(_)) => (Reply::HostUnreachable, None),
        },
        Err(reply) => (reply, None),
    };
    // From which address is nobody's business inside.
    client.write_all(&[SOCKS_5, reply as u8, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    match outside {
        Some(outside) => relay(&session.pace, client, outside).await,
        None => client.shutdown().await,
    }
}

/// What follows the first byte: methods, of which only "none" is taken, then what is to be connected to.
async fn socks_request<S>(client: &mut S) -> io::Result<Result<(Host, u16), Reply>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const NO_AUTHENTICATION: u8 = 0;
    const NONE_ACCEPTABLE: u8 = 0xff;
    const CONNECT: u8 = 1;
    let mut methods = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut methods).await?;
    let method = if methods.contains(&NO_AUTHENTICATION) { NO_AUTHENTICATION } else { NONE_ACCEPTABLE };
    client.write_all(&[SOCKS_5, method]).await?;
    if method == NONE_ACCEPTABLE {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => Some(Host::from(Ipv4Addr::from_bits(client.read_u32().await?))),
        3 => {
            let mut name = vec![0; client.read_u8().await?.into()];
            client.read_exact(&mut name).await?;
            std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok())
        }
        4 => Some(Host::from(Ipv6Addr::from_bits(client.read_u128().await?))),
        _ => return Ok(Err(Reply::AddressNotSupported)),
    };
    let port = client.read_u16().await?;
    Ok(match (host, request) {
        (_, [version, command, ..]) if version != SOCKS_5 || command != CONNECT => {
            Err(Reply::CommandNotSupported)
        }
        (Some(host), _) => Ok((host, port)),
        (None, _) => Err(Reply::NotAllowed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(head: &str) -> Option<(String, Option<String>)> {
        let request = Request::parse(head.as_bytes())?;
        let forward = request.forward.map(|bytes| String::from_utf8(bytes).unwrap());
        Some((format!("{}:{}", request.host, request.port), forward))
    }

    #[test]
    fn only_what_is_asked_for_in_the_first_line_counts() {
        assert_eq!(
            parsed("CONNECT a.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n"),
            Some(("a.test:443".into(), None))
        );
        let head = "GET http://a.test:81/x?y#z HTTP/1.1\r\nHost: b.test\r\nProxy-Authorization: x\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n";
        let forward = "GET /x?y HTTP/1.1\r\nHost: a.test:81\r\nConnection: close\r\nAccept: */*\r\n\r\n";
        assert_eq!(parsed(head), Some(("a.test:81".into(), Some(forward.into()))));
        let forward = "GET /?q HTTP/1.0\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        assert_eq!(
            parsed("GET HTTP://a.test?q HTTP/1.0\r\n\r\n"),
            Some(("a.test:80".into(), Some(forward.into())))
        );
    }

    #[test]
    fn what_two_could_read_differently_is_refused() {
        for head in [
            "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            "GET https://a.test/ HTTP/1.1\r\n\r\n",
            "GET ftp://a.test/ HTTP/1.1\r\n\r\n",
            "GET http:///x HTTP/1.1\r\n\r\n",
            "GET http://a.test@127.0.0.1/ HTTP/1.1\r\n\r\n",
            "GET http://127.0.0.1\\@a.test/ HTTP/1.1\r\n\r\n",
            "GET http://a.test:80@127.0.0.1:80/ HTTP/1.1\r\n\r\n",
            "GET http://a.test HTTP/1.1 HTTP/1.1\r\n\r\n",
            "GET  http://a.test/ HTTP/1.1\r\n\r\n",
            "GET http://a.test/\tx HTTP/1.1\r\n\r\n",
            "GET http://a.test/ HTTP/2\r\n\r\n",
            "GET http://a.test/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            "GET http://a.test/ HTTP/1.1\r\nA : b\r\n\r\n",
            "GET http://a.test/ HTTP/1.1\r\nA: b\nHost: c\r\n\r\n",
            "GET http://a.test/ HTTP/1.1\r\nno colon\r\n\r\n",
            "CONNECT a.test HTTP/1.1\r\n\r\n",
            "CONNECT http://a.test:80 HTTP/1.1\r\n\r\n",
            "CONNECT user@a.test:80 HTTP/1.1\r\n\r\n",
            "CONNECT a.test:80/ HTTP/1.1\r\n\r\n",
            "connect a.test:80 HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(parsed(head), None, "{head:?}");
        }
    }
}
