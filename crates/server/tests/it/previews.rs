//! What a program in a sandbox serves, as a browser gets it.

use crate::support::{PATIENCE, Server, Socket};
use futures::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// Says what it was asked, sets cookies that it should not, and speaks WebSocket: it says what it hears, twice.
const PROGRAM: &str = r#"
import base64, hashlib, json, socketserver
from http.server import BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        self.do_GET()
    def do_GET(self):
        if self.headers.get('Upgrade') == 'websocket':
            return self.web_socket()
        body = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        said = json.dumps({'path': self.path, 'headers': self.headers.items(), 'body': body}).encode()
        self.send_response(200)
        for cookie in ('a=1; Domain=localhost; Path=/', '__Host-lamplight-preview=forged; Path=/'):
            self.send_header('Set-Cookie', cookie)
        self.send_header('X-Frame-Options', 'DENY')
        self.send_header('Content-Security-Policy', "default-src 'self'")
        self.send_header('Content-Length', str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def web_socket(self):
        key = self.headers['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        head = self.rfile.read(2)
        mask, text = self.rfile.read(4), self.rfile.read(head[1] & 127)
        text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(text)) * 2
        self.wfile.write(bytes([0x81, len(text)]) + text)
        self.close_connection = True
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('127.0.0.1', 3000), Handler).serve_forever()
"#;

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let encode = |three: &[u8]| {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let all = [18, 12, 6, 0].map(|shift| digit(bits >> shift));
        let text: String = all[..=three.len()].iter().collect();
        format!("{text:=<4}")
    };
    text.as_bytes().chunks(3).map(encode).collect()
}

/// A session in which the program listens; its id.
pub(crate) async fn serving(server: &Server) -> String {
    let start = format!(
        "!run echo {} | base64 -d > /tmp/program.py; setsid python3 /tmp/program.py > /tmp/log 2>&1 < /dev/null &\n!say done",
        base64(PROGRAM)
    );
    let id = server.create(&start).await;
    server.until(&id, "work_committed", 1).await;
    let listed = async {
        while server.get(&format!("/sessions/{id}/ports")).await.1["items"].as_array().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.expect("it listens in time");
    id
}

/// A browser at one preview.
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    host: String,
    cookie: String,
}

impl Browser {
    /// Enters by the way of our page.
    pub(crate) async fn enter(server: &Server, session: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let open = format!("{}/api/v1/sessions/{session}/ports/3000/open", server.base);
        let answer = http.get(open).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let location = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
        let (host, path) = location.strip_prefix("//").unwrap().split_once('/').unwrap();
        let browser = Self { http, base: server.base.clone(), host: host.to_owned(), cookie: String::new() };
        let answer = browser.ask(Method::GET, &format!("/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[header::LOCATION], "/");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        for part in ["__Host-", "; Secure", "; HttpOnly", "; SameSite=None", "; Partitioned", "; Path=/"] {
            assert!(cookie.contains(part), "{part} is not in {cookie}");
        }
        assert!(!cookie.to_lowercase().contains("domain"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { cookie, ..browser }
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.header(header::HOST, &self.host).header(header::COOKIE, format!("mine=1; {}", self.cookie))
    }
}

#[tokio::test]
async fn a_program_is_seen_through_its_own_host_and_sees_nothing_of_ours() {
    let server = Server::start();
    let id = serving(&server).await;
    let (_, ports) = server.get(&format!("/sessions/{id}/ports")).await;
    let port = server.authority().rsplit_once(':').unwrap().1;
    let authority = format!("p3000-{}.localhost:{port}", id.to_lowercase());
    assert_eq!(ports, json!({"items": [{"port": 3000, "authority": authority}]}));

    let told = server.place.say(&["ports", &id]);
    assert_eq!(told.trim(), format!("3000  {}/api/v1/sessions/{id}/ports/3000/open", server.base));

    let browser = Browser::enter(&server, &id).await;
    assert_eq!(browser.host, authority);
    let answer =
        browser.ask(Method::POST, "/a/b?c=d").header("x-mine", "yes").body("content").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = answer.headers().clone();
    let cookies: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; Path=/"]);
    assert!(!headers.contains_key(header::X_FRAME_OPTIONS));
    let policies: Vec<_> = headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
    assert_eq!(policies.len(), 2, "{policies:?}");
    assert!(policies[1].to_str().unwrap().starts_with("frame-ancestors 'self' http://localhost:*"));
    let said: Value = answer.json().await.unwrap();
    assert_eq!((&said["path"], &said["body"]), (&json!("/a/b?c=d"), &json!("content")));
    let sent = said["headers"].to_string().to_lowercase();
    assert!(sent.contains(r#"["cookie","mine=1"]"#), "{sent}");
    assert!(sent.contains(r#"["x-mine","yes"]"#), "{sent}");
    assert!(sent.contains(&format!(r#"["host","{authority}"]"#)), "{sent}");
    assert!(!said.to_string().contains(browser.cookie.split_once('=').unwrap().1));

    // It has none of our routes, under no path.
    let answer = browser.ask(Method::GET, "/api/v1/sessions").send().await.unwrap();
    let said: Value = answer.json().await.unwrap();
    assert_eq!(said["path"], "/api/v1/sessions");
    server.clear().await;
    let answer = browser.ask(Method::GET, "/").send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
}

#[tokio::test]
async fn web_sockets_pass() {
    let server = Server::start();
    let id = serving(&server).await;
    let browser = Browser::enter(&server, &id).await;
    let origin = format!("http://{}", browser.host);
    let connect = async |cookie: &str, origin: &str| {
        let mut request = format!("ws://{}/socket", browser.host).into_client_request().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(server.authority()).await.unwrap();
        tokio_tungstenite::client_async(request, tokio_tungstenite::MaybeTlsStream::Plain(stream)).await
    };
    let (socket, _) = connect(&browser.cookie, &origin).await.unwrap();
    let mut socket = Socket(socket);
    socket.0.send(Message::text("echo")).await.unwrap();
    assert_eq!(socket.0.next().await.unwrap().unwrap(), Message::text("echoecho"));
    for (cookie, origin, status) in
        [("", origin.as_str(), 401), (browser.cookie.as_str(), "http://evil.example", 403)]
    {
        match connect(cookie, origin).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.status().as_u16(), status, "{origin}");
            }
            other => panic!("{origin}: {other:?}"),
        }
    }
    server.clear().await;
}

#[tokio::test]
async fn nobody_enters_without_a_pass_for_this_port() {
    let server = Server::start();
    let id = serving(&server).await;
    let browser = Browser::enter(&server, &id).await;
    let status = async |host: &str, cookie: &str, path: &str| {
        let request = browser.http.get(format!("{}{path}", server.base));
        let request = request.header(header::HOST, host).header(header::COOKIE, cookie);
        request.send().await.unwrap().status().as_u16()
    };
    let own = browser.host.as_str();
    assert_eq!(status(own, &browser.cookie, "/").await, 200);
    assert_eq!(status(own, "", "/").await, 401);
    assert_eq!(status(own, &format!("{}0", browser.cookie), "/").await, 401);
    assert_eq!(status(&own.replace("p3000", "p3001"), &browser.cookie, "/").await, 401);
    assert_eq!(status(own, "", "/.lamplight/enter?pass=00").await, 401);
    // What is in the cookie is no way in, and the other way round.
    let stay = browser.cookie.split_once('=').unwrap().1;
    assert_eq!(status(own, "", &format!("/.lamplight/enter?pass={stay}")).await, 401);
    // Another name is neither a preview nor ours.
    assert_eq!(status(&own.replace("localhost", "evil.example"), &browser.cookie, "/").await, 421);
    // The guest's own ports and those at which nobody listens are not opened.
    for port in [7411, 7412, 3001] {
        let (status, problem) = server.get(&format!("/sessions/{id}/ports/{port}/open")).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("nothing_listens")), "{port}");
    }
    // A page that asks again and again does not keep the sandbox; one that a person loads wakes it.
    server.post(&format!("/sessions/{id}/pause"), Value::Null).await;
    server.until(&id, "sandbox_paused", 1).await;
    assert_eq!(status(own, &browser.cookie, "/").await, 409);
    let load = browser.ask(Method::GET, "/").header("sec-fetch-mode", "navigate");
    let load = load.header("sec-fetch-site", "none");
    assert_eq!(load.send().await.unwrap().status(), StatusCode::OK);
    server.until(&id, "sandbox_resumed", 1).await;
    server.clear().await;
}
