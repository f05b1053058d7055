//! One request: signed, sent, tried again where that is safe, its answer read within limits.

use crate::{Client, ClientError, Credentials};
use bytes::Bytes;
use rand::RngExt;
use reqwest::{Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use std::time::{Duration, Instant};
use tatau_api::{ErrorBody, PACKED, PACKED_HEADER, PROTOCOL, PROTOCOL_HEADER};
use tatau_evidence::{Sent, sign_request};
use tatau_model::Digest;

/// Answers larger than this are refused.
const ANSWER_LIMIT: usize = 64 << 20;
/// Longest time of a call that waits for nothing.
const CALL_TIMEOUT: Duration = Duration::from_secs(45);

/// One call before it is signed.
pub(crate) struct Call {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub body: Bytes,
    pub json: bool,
    /// The body is packed.
    pub packed: bool,
    /// Doing it twice is the same as once.
    pub idempotent: bool,
    pub timeout: Duration,
}

impl Call {
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: Bytes::new(),
            json: false,
            packed: false,
            idempotent: true,
            timeout: CALL_TIMEOUT,
        }
    }

    /// A call with a JSON body that may be repeated.
    pub fn send(method: Method, path: impl Into<String>, body: &impl Serialize) -> Result<Self, ClientError> {
        let body = serde_json::to_vec(body)
            .map_err(|e| ClientError::Malformed(format!("the request could not be written as JSON: {e}")))?;
        Ok(Self { method, body: body.into(), json: true, ..Self::get(path) })
    }

    pub fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, ClientError> {
        Self::send(Method::POST, path, body)
    }

    /// Doing it twice would do two things.
    pub fn once(mut self) -> Self {
        self.idempotent = false;
        self
    }

    /// The server may hold it open for `wait_ms`.
    pub fn waiting(mut self, wait_ms: u64) -> Self {
        self.timeout = CALL_TIMEOUT + Duration::from_millis(wait_ms.min(25_000));
        self
    }
}

/// Why one try failed, and whether another may help.
struct Failed {
    error: ClientError,
    again: bool,
    /// It was refused for its date, and the server's clock is known now: nothing was done, and it helps to sign anew at once.
    other_date: bool,
}

impl Client {
    /// Sends and reads JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let path = call.path.clone();
        let bytes = self.bytes(call).await?;
        serde_json::from_slice(&bytes).map_err(|e| {
            ClientError::Malformed(format!(
                "the server's answer to {path} cannot be read ({e}); it may be of another version"
            ))
        })
    }

    /// Sends; an answer's body is ignored.
    pub(crate) async fn nothing(&self, call: Call) -> Result<(), ClientError> {
        self.bytes(call).await.map(|_| ())
    }

    /// Sends and reads the body whole.
    pub(crate) async fn bytes(&self, call: Call) -> Result<Bytes, ClientError> {
        let mut first_failure: Option<Instant> = None;
        let mut tries = 0u32;
        let mut dated = false;
        loop {
            let failed = match self.once(&call).await {
                Ok(bytes) => return Ok(bytes),
                Err(failed) => failed,
            };
            if failed.other_date && !dated {
                dated = true;
                continue;
            }
            tries = tries.saturating_add(1);
            let since = first_failure.get_or_insert_with(Instant::now).elapsed();
            if !failed.again {
                return Err(failed.error);
            }
            match self.patience.pause(tries, since) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failed.error),
            }
        }
    }

    async fn once(&self, call: &Call) -> Result<Bytes, Failed> {
        let response = self.request(call).send().await.map_err(|e| Failed {
            // A request that never left may be repeated whatever it does.
            again: call.idempotent || e.is_connect(),
            error: self.unreachable(&e),
            other_date: false,
        })?;
        let headers = response.headers().clone();
        let status = response.status();
        let body = self.body(response).await;
        if status.is_success() {
            return body.map_err(|error| Failed {
                again: call.idempotent && error.is_unreachable(),
                error,
                other_date: false,
            });
        }
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let again = busy || (call.idempotent && status.is_server_error());
        let body = refusal(status, &body.unwrap_or_default());
        let other_date = body.code == "clock" && self.inner.clock.learn(&headers);
        Err(Failed { again, error: ClientError::Refused { status: status.as_u16(), body }, other_date })
    }

    fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.inner.base, call.path);
        let mut request = self.inner.http.request(call.method.clone(), url).timeout(call.timeout);
        request = request.header(PROTOCOL_HEADER, PROTOCOL);
        if let Some(line) = self.authorization(call) {
            request = request.header(header::AUTHORIZATION, line);
        }
        if call.json {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if call.packed {
            request = request.header(PACKED_HEADER, PACKED);
        }
        request.body(call.body.clone())
    }

    /// A fresh line for every try: the server takes each nonce once.
    fn authorization(&self, call: &Call) -> Option<String> {
        match &self.inner.credentials {
            Credentials::None => None,
            Credentials::Token(token) => Some(format!("Bearer {token}")),
            Credentials::Key(key) => {
                let nonce = Digest(rand::rng().random());
                let now = self.inner.clock.now();
                let sent = Sent {
                    server: &self.inner.base,
                    method: call.method.as_str(),
                    path_and_query: &call.path,
                    body: &call.body,
                };
                Some(sign_request(key, &sent, now, nonce))
            }
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Bytes, ClientError> {
        let mut all = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if all.len() + chunk.len() > ANSWER_LIMIT {
                return Err(ClientError::Malformed(
                    "the server's answer is too large; nothing of it was used".into(),
                ));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }

    /// One sentence for a person: which server, and the innermost reason.
    pub(crate) fn unreachable(&self, e: &reqwest::Error) -> ClientError {
        let mut reason: &dyn std::error::Error = e;
        while let Some(inner) = reason.source() {
            reason = inner;
        }
        let what = if e.is_timeout() { "did not answer in time" } else { "cannot be reached" };
        ClientError::Unreachable(format!(
            "the server {} {what} ({reason}); check the address and that it runs",
            self.inner.base
        ))
    }
}

/// The server's own words, or, where something else answered, what can be said about it.
pub(crate) fn refusal(status: StatusCode, body: &[u8]) -> ErrorBody {
    serde_json::from_slice(body).unwrap_or_else(|_| ErrorBody {
        code: match status.as_u16() {
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            413 => "too_large",
            429 => "too_many",
            503 => "unavailable",
            500..=599 => "internal",
            _ => "bad_request",
        }
        .into(),
        sentence: format!(
            "the server answered {status} without a reason; is this the address of a Tatau server?"
        ),
    })
}
