//! `GET /v1/blobs/{blob}?…`: bytes for whoever holds a grant. `Range: bytes=N-` and `bytes=N-M` are understood.

use crate::{app::App, error::ApiError};
use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{io::SeekFrom, sync::Arc};
use tatau_api::{BYTES_HEADER, PACKED, PACKED_HEADER};
use tatau_blobs::Operation;
use tatau_model::{BlobId, Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Places all over a file, and bytes at each, by which it is judged whether the file gets smaller.
const SAMPLES: (u64, u64) = (8, 32 << 10);

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(blob): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let blob: BlobId = crate::routes::id(&blob)?;
    let query =
        query.ok_or_else(|| ApiError::forbidden("this address needs a grant; ask POST /v1/grants"))?;
    app.grants
        .check(&query, Operation::Get, &blob, SystemClock.now())
        .map_err(|e| ApiError::forbidden(e.to_string()))?;
    send(&app, blob, &headers, "application/octet-stream", "attachment").await
}

/// The bytes of a blob, or the range of them that is asked for.
pub(crate) async fn send(
    app: &App,
    blob: BlobId,
    headers: &HeaderMap,
    content_type: &str,
    disposition: &str,
) -> Result<Response, ApiError> {
    let opened = app.blobs.run(move |store| store.open_blob(&blob)).await;
    let file = opened.map_err(|e| ApiError::internal(&e))?.ok_or_else(|| ApiError::not_found(app.gone()))?;
    let mut file = tokio::fs::File::from_std(file);
    let total = file.metadata().await.map_err(|e| ApiError::internal(&e))?.len();
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok());
    let (status, from, to) = match range.map(|text| parse(text, total)) {
        None | Some(Range::Whole) => (StatusCode::OK, 0, total),
        Some(Range::Part(from, to)) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(Range::Outside) => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{total}"))];
            let error = ApiError {
                status: StatusCode::RANGE_NOT_SATISFIABLE,
                code: "bad_request",
                sentence: format!("the blob has {total} bytes; ask for a range inside"),
            };
            return Ok((whole, error).into_response());
        }
    };
    file.seek(SeekFrom::Start(from)).await.map_err(|e| ApiError::internal(&e))?;
    let packed = wants_packed(headers) && is_smaller_packed(app, &mut file, from, to).await?;
    let file = file.take(to - from);
    let body = if packed {
        Body::from_stream(app.packer.clone().packed(file))
    } else {
        Body::from_stream(ReaderStream::with_capacity(file, 256 << 10))
    };
    let answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::CONTENT_DISPOSITION, disposition)
        .header("x-content-type-options", "nosniff")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(BYTES_HEADER, total);
    let answer = if packed {
        answer.header(PACKED_HEADER, PACKED)
    } else {
        answer.header(header::CONTENT_LENGTH, to - from)
    };
    let answer = match status {
        StatusCode::PARTIAL_CONTENT => {
            answer.header(header::CONTENT_RANGE, format!("bytes {from}-{}/{total}", to.saturating_sub(1)))
        }
        _ => answer,
    };
    answer.body(body).map_err(|e| ApiError::internal(&e))
}

fn wants_packed(headers: &HeaderMap) -> bool {
    headers.get(PACKED_HEADER).is_some_and(|how| how == PACKED)
}

/// Judged by pieces of the range. The file stands at `from` before and after.
async fn is_smaller_packed(
    app: &App,
    file: &mut tokio::fs::File,
    from: u64,
    to: u64,
) -> Result<bool, ApiError> {
    let (places, bytes) = SAMPLES;
    let mut sample = Vec::new();
    for place in 0..places {
        let at = from + (to - from) / places * place;
        file.seek(SeekFrom::Start(at)).await.map_err(|e| ApiError::internal(&e))?;
        let read = (&mut *file).take((to - at).min(bytes)).read_to_end(&mut sample).await;
        read.map_err(|e| ApiError::internal(&e))?;
    }
    file.seek(SeekFrom::Start(from)).await.map_err(|e| ApiError::internal(&e))?;
    app.packer.is_worth_it(sample).await.map_err(|e| ApiError::internal(&e))
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From, and up to but without.
    Part(u64, u64),
    Outside,
}

/// One range of bytes; what is not understood is the whole, as HTTP has it.
fn parse(text: &str, total: u64) -> Range {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Range::Whole;
    };
    let Ok(from) = from.trim().parse::<u64>() else { return Range::Whole };
    let end = match to.trim() {
        "" => total,
        last => match last.parse::<u64>() {
            Ok(last) if last >= from => last.saturating_add(1).min(total),
            _ => return Range::Whole,
        },
    };
    if from >= total { Range::Outside } else { Range::Part(from, end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_inside_the_blob() {
        for (text, expected) in [
            ("bytes=0-", Range::Part(0, 10)),
            ("bytes=4-6", Range::Part(4, 7)),
            ("bytes=4-99999999999999999999", Range::Whole),
            ("bytes=4-18446744073709551615", Range::Part(4, 10)),
            ("bytes=10-", Range::Outside),
            ("bytes=-5", Range::Whole),
            ("bytes=6-4", Range::Whole),
            ("lines=1-", Range::Whole),
        ] {
            assert_eq!(parse(text, 10), expected, "{text}");
        }
    }
}
