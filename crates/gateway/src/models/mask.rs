//! A provider that repeats the key it was asked with, as some do where they refuse it, does not tell it to the sandbox:
//! asterisks take its place. Nothing else of an answer changes, its length neither.

use axum::BoxError;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures::Stream;
use lamplight_domain::Redactor;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pub(super) fn headers(headers: &mut HeaderMap, redactor: &Redactor) {
    for value in headers.values_mut().filter(|value| redactor.find(value.as_bytes(), 0).is_some()) {
        let mut bytes = value.as_bytes().to_vec();
        redactor.mask(&mut bytes);
        *value = HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("***"));
    }
}

pub(super) fn body<S, E>(pieces: S, redactor: Arc<Redactor>) -> Body
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + Send + 'static,
    E: Into<BoxError> + Send + 'static,
{
    if redactor.is_empty() {
        return Body::from_stream(pieces);
    }
    let masking = Masking { held: Vec::new(), redactor };
    Body::from_stream(Masked { pieces, masking, is_over: false })
}

struct Masked<S> {
    pieces: S,
    masking: Masking,
    is_over: bool,
}

impl<S, E> Stream for Masked<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while !this.is_over {
            match ready!(Pin::new(&mut this.pieces).poll_next(context)) {
                Some(Ok(piece)) => {
                    let ready = this.masking.pass(piece);
                    if !ready.is_empty() {
                        return Poll::Ready(Some(Ok(ready)));
                    }
                }
                Some(Err(error)) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.is_over = true;
                    let held = std::mem::take(&mut this.masking.held);
                    return Poll::Ready((!held.is_empty()).then(|| Ok(held.into())));
                }
            }
        }
        Poll::Ready(None)
    }
}

struct Masking {
    /// What may be the beginning of the key; fewer bytes than that has.
    held: Vec<u8>,
    redactor: Arc<Redactor>,
}

impl Masking {
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
