//! A provider that repeats the key it was asked with, as some do where they refuse it, does not tell it to the sandbox:
//! asterisks take its place. Nothing else of an answer changes, its length neither.

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use lamplight_domain::Redactor;
use std::sync::Arc;

pub(super) fn masked(response: Response, redactor: Arc<Redactor>) -> Response {
    if redactor.is_empty() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    mask_headers(&mut head.headers, &redactor);
    let masking = Masking { pieces: body.into_data_stream(), held: Vec::new(), redactor };
    let pieces = futures::stream::unfold(Some(masking), |masking| async { masking?.next().await });
    Response::from_parts(head, Body::from_stream(pieces))
}

fn mask_headers(headers: &mut HeaderMap, redactor: &Redactor) {
    for value in headers.values_mut().filter(|value| redactor.find(value.as_bytes(), 0).is_some()) {
        let mut bytes = value.as_bytes().to_vec();
        redactor.mask(&mut bytes);
        *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("***"));
    }
}

struct Masking {
    pieces: BodyDataStream,
    /// What may be the beginning of the key; fewer bytes than that has.
    held: Vec<u8>,
    redactor: Arc<Redactor>,
}

type Said = (Result<Bytes, axum::Error>, Option<Masking>);

impl Masking {
    async fn next(mut self) -> Option<Said> {
        loop {
            match self.pieces.next().await {
                Some(Ok(piece)) => {
                    let ready = self.pass(piece);
                    if !ready.is_empty() {
                        return Some((Ok(ready), Some(self)));
                    }
                }
                Some(Err(error)) => return Some((Err(error), None)),
                None if self.held.is_empty() => return None,
                None => return Some((Ok(self.held.into()), None)),
            }
        }
    }

    /// What can be said of everything so far.
    fn pass(&mut self, piece: Bytes) -> Bytes {
        let is_plain = self.held.is_empty() && self.redactor.find(&piece, 0).is_none();
        if is_plain && self.redactor.unfinished(&piece) == 0 {
            return piece;
        }
        self.held.extend_from_slice(&piece);
        self.redactor.mask(&mut self.held);
        let ready = self.held.len() - self.redactor.unfinished(&self.held);
        self.held.drain(..ready).collect()
    }
}
