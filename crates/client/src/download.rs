//! Grants, and downloads that are verified against their BLAKE3 name.

use crate::{
    Client, ClientError, Progress,
    packing::{Pieces, is_slow},
    part::Part,
    send::{Call, refusal},
};
use futures_util::StreamExt;
use reqwest::{StatusCode, header};
use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Instant,
};
use tatau_api::{BYTES_HEADER, GrantRequest, Granted, PACKED, PACKED_HEADER};
use tatau_model::BlobId;

/// Blobs in one grant request.
const GRANTS: usize = 1_000;

/// The rest of a download for which it is worth asking anew, bytes.
const WORTH_ASKING: u64 = 1 << 20;

/// How one try at a download ended without success.
enum Cut {
    /// Go on from where it is.
    Again(ClientError),
    /// Trying again will not help.
    Final(ClientError),
    /// The line is slow: go on at once, with packed bytes.
    Slow,
}

impl Client {
    /// `POST /v1/grants`: addresses for `blobs`, in order. `holder` is `job-N`, `attempt-N` or `audit-N`.
    pub async fn grants(&self, holder: &str, blobs: &[BlobId]) -> Result<Granted, ClientError> {
        let mut all: Option<Granted> = None;
        for part in blobs.chunks(GRANTS) {
            let request = GrantRequest { holder: holder.to_owned(), blobs: part.to_vec() };
            let got: Granted = self.json(Call::post("/v1/grants", &request)?).await?;
            if got.urls.len() != part.len() {
                return Err(ClientError::Malformed(
                    "the server granted another number of blobs than was asked for; try again".into(),
                ));
            }
            match &mut all {
                None => all = Some(got),
                Some(all) => {
                    all.urls.extend(got.urls);
                    all.expires = all.expires.min(got.expires);
                }
            }
        }
        all.ok_or_else(|| ClientError::Malformed("no blobs were named; name at least one".into()))
    }

    /// Downloads what a grant's `url` names into the new file `to`, and gives its size. Goes on from `to` + `.part`
    /// where an earlier try was cut; only bytes whose BLAKE3 is `expected` ever appear under the name `to`, by rename.
    /// More than `most_bytes` are refused.
    pub async fn download(
        &self,
        url: &str,
        to: &Path,
        expected: BlobId,
        most_bytes: u64,
        on: Progress<'_>,
    ) -> Result<u64, ClientError> {
        let part = part_of(to);
        let mut first_failure: Option<Instant> = None;
        let mut tries = 0u32;
        let mut had = 0;
        loop {
            let cut = match self.fetch(url, &part, expected, most_bytes, on).await {
                Ok(bytes) => {
                    tokio::fs::rename(&part, to).await.map_err(|e| ClientError::file("written", to, &e))?;
                    return Ok(bytes);
                }
                Err(cut) => cut,
            };
            let error = match cut {
                Cut::Final(error) => return Err(error),
                Cut::Again(error) => error,
                Cut::Slow => continue,
            };
            // A try that got further starts the patience anew.
            let has = tokio::fs::metadata(&part).await.map_or(0, |m| m.len());
            if has > had {
                had = has;
                first_failure = None;
                tries = 0;
            }
            tries = tries.saturating_add(1);
            let since = first_failure.get_or_insert_with(Instant::now).elapsed();
            match self.patience.pause(tries, since) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Downloads into memory what a grant's `url` names; only bytes whose BLAKE3 is `expected`, at most `most_bytes`.
    pub async fn download_bytes(
        &self,
        url: &str,
        expected: BlobId,
        most_bytes: u64,
    ) -> Result<Vec<u8>, ClientError> {
        let started = Instant::now();
        let mut tries = 0u32;
        loop {
            let error = match self.fetch_bytes(url, expected, most_bytes).await {
                Ok(bytes) => return Ok(bytes),
                Err(Cut::Final(error)) => return Err(error),
                Err(Cut::Again(error)) => error,
                Err(Cut::Slow) => continue,
            };
            tries = tries.saturating_add(1);
            match self.patience.pause(tries, started.elapsed()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    async fn fetch_bytes(&self, url: &str, expected: BlobId, most_bytes: u64) -> Result<Vec<u8>, Cut> {
        let request = self.inner.http.get(self.whole_url(url).map_err(Cut::Final)?);
        let response = request.send().await.map_err(|e| Cut::Again(self.unreachable(&e)))?;
        if response.status() != StatusCode::OK {
            return Err(refused(response).await);
        }
        let mut bytes = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| Cut::Again(self.unreachable(&e)))?;
            if (bytes.len() + chunk.len()) as u64 > most_bytes {
                return Err(Cut::Final(too_large(expected, most_bytes)));
            }
            bytes.extend_from_slice(&chunk);
        }
        if BlobId(*blake3::hash(&bytes).as_bytes()) != expected {
            return Err(Cut::Again(wrong_bytes(expected)));
        }
        Ok(bytes)
    }

    async fn fetch(
        &self,
        url: &str,
        part: &Path,
        expected: BlobId,
        most_bytes: u64,
        on: Progress<'_>,
    ) -> Result<u64, Cut> {
        let mut writing = Part::open(part).await.map_err(Cut::Final)?;
        let from = writing.have;
        if from > 0 && writing.name().await.map_err(Cut::Final)? == expected {
            return Ok(from);
        }
        let mut request = self.inner.http.get(self.whole_url(url).map_err(Cut::Final)?);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let ask_packed = self.inner.slow.load(Ordering::Relaxed);
        if ask_packed {
            request = request.header(PACKED_HEADER, PACKED);
        }
        let response = request.send().await.map_err(|e| Cut::Again(self.unreachable(&e)))?;
        match response.status() {
            // The whole again: start over.
            StatusCode::OK if from > 0 => writing.empty().await.map_err(Cut::Final)?,
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let _ = tokio::fs::remove_file(part).await;
                return Err(Cut::Again(wrong_bytes(expected)));
            }
            _ => return Err(refused(response).await),
        }
        let told = response.headers().get(BYTES_HEADER).and_then(|v| v.to_str().ok()?.parse().ok());
        let total = told.unwrap_or_else(|| response.content_length().map_or(0, |more| writing.have + more));
        let mut pieces = Pieces::of(response);
        let begun = Instant::now();
        let mut slow = None;
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(e) => {
                    // What came is kept: the next try goes on from there.
                    writing.flush().await.map_err(Cut::Final)?;
                    return Err(Cut::Again(
                        e.map_or_else(|| wrong_bytes(expected), |e| self.unreachable(&e)),
                    ));
                }
            };
            if writing.have + piece.len() as u64 > most_bytes {
                let _ = tokio::fs::remove_file(part).await;
                return Err(Cut::Final(too_large(expected, most_bytes)));
            }
            writing.add(piece).await.map_err(Cut::Final)?;
            on(writing.have, total);
            slow = is_slow(pieces.received, begun.elapsed()).or(slow);
            if slow == Some(true) && !ask_packed && total.saturating_sub(writing.have) >= WORTH_ASKING {
                self.inner.slow.store(true, Ordering::Relaxed);
                writing.flush().await.map_err(Cut::Final)?;
                return Err(Cut::Slow);
            }
        }
        if let Some(slow) = slow {
            self.inner.slow.store(slow, Ordering::Relaxed);
        }
        writing.flush().await.map_err(Cut::Final)?;
        if writing.name().await.map_err(Cut::Final)? != expected {
            let _ = tokio::fs::remove_file(part).await;
            return Err(Cut::Again(wrong_bytes(expected)));
        }
        Ok(writing.have)
    }

    /// A grant's address is a path on this server, or a whole URL (it carries its own right; no key signs it).
    fn whole_url(&self, url: &str) -> Result<String, ClientError> {
        if url.starts_with('/') {
            Ok(format!("{}{url}", self.inner.base))
        } else if url.starts_with("https://") || url.starts_with("http://") {
            Ok(url.to_owned())
        } else {
            Err(ClientError::Malformed(
                "the server granted an address that cannot be read; it may be of another version".into(),
            ))
        }
    }
}

fn wrong_bytes(expected: BlobId) -> ClientError {
    ClientError::Malformed(format!("the bytes received are not blob {expected}; they were thrown away"))
}

fn part_of(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn too_large(expected: BlobId, most_bytes: u64) -> ClientError {
    ClientError::Malformed(format!(
        "blob {expected} is larger than the {most_bytes} bytes expected; nothing of it was kept"
    ))
}

/// The server's refusal, and whether waiting may help.
async fn refused(response: reqwest::Response) -> Cut {
    let status = response.status();
    let again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let body = response.bytes().await.unwrap_or_default();
    let error = ClientError::Refused { status: status.as_u16(), body: refusal(status, &body) };
    if again { Cut::Again(error) } else { Cut::Final(error) }
}
