//! How an object store is spoken to: over the one HTTP client and the one TLS that the rest of the program has. The crate's own would bring HTTP/2
//! into every client of ours.

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{ClientOptions, Error};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Request};
use rustls::ClientConfig;
use std::time::Duration;

/// For a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// For one request and the whole of its answer: one part on a slow line.
const ANSWER: Duration = Duration::from_secs(30);

/// One client for everything that is asked for one bucket, what lets it in included.
#[derive(Debug)]
pub(super) struct Connector(Client);

impl Connector {
    pub(super) fn new(tls: ClientConfig) -> reqwest::Result<Self> {
        let client = Client::builder().tls_backend_preconfigured(tls).redirect(Policy::none());
        Ok(Self(client.connect_timeout(CONNECT).timeout(ANSWER).build()?))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, Error> {
        Ok(HttpClient::new(Asking(self.0.clone())))
    }
}

#[derive(Debug)]
struct Asking(Client);

#[async_trait]
impl HttpService for Asking {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = Request::try_from(request.map(Body::wrap)).map_err(failed)?;
        let answer = self.0.execute(request).await.map_err(failed)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut told = HttpResponse::new(HttpResponseBody::new(Body::from(answer).map_err(failed)));
        *told.status_mut() = status;
        *told.headers_mut() = headers;
        Ok(told)
    }
}

/// Nothing is asked of a bucket that may not be asked for twice, so whatever did not come to an answer is asked again.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Request
    };
    // Where it went is told by whoever knows whether it may be.
    HttpError::new(kind, error.without_url())
}
