//! Connections: accepted up to a limit, HTTP/1 and HTTP/2 without TLS on one port, slow and dead peers dropped.

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, header},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tower::ServiceExt as _;

/// Connections at once.
const CONNECTIONS: usize = 20_000;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// Bytes that a peer may send of one request, and on one HTTP/2 connection, before they were read: what a fast line with 50 ms of delay
/// carries meanwhile.
const WINDOWS: (u32, u32) = (4 << 20, 8 << 20);
/// Bytes that it may send at once.
const FRAME: u32 = 256 << 10;
/// A peer that does not finish its headers, or does not answer a ping, is dropped.
const SILENCE: Duration = Duration::from_secs(15);
/// Running answers get this long when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// The server's end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrivedAt(pub SocketAddr);

/// Serves until `stopping` says so, then finishes what runs.
pub(crate) async fn accept(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(SILENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_frame_size(FRAME)
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE);
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, &permits) => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let Some((stream, peer, permit)) = accepted else { break };
        // A peer that is gone already needs no answer.
        let Ok(local) = stream.local_addr() else { continue };
        let service = router.clone();
        let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(ArrivedAt(local));
            name_host(&mut request);
            let answer = service.clone().oneshot(request.map(Body::new));
            async move { answer.await.map_err(|never: Infallible| match never {}) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection ended badly");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were still running and were cut");
    }
}

/// HTTP/2 names the host in its own place; pages look for it in one.
fn name_host<T>(request: &mut Request<T>) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    let named = request.uri().authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
    if let Some(host) = named {
        request.headers_mut().insert(header::HOST, host);
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn next(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return Some((stream, peer, permit));
            }
            Err(error) => {
                // Out of file descriptors, or a peer that left: wait and go on.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
