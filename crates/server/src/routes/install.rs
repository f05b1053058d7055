//! `GET /install.sh`, `GET /download/tatau`: this very program, for whoever wants to lend a machine.

use crate::{app::App, error::ApiError, site};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use std::{env::consts, sync::Arc};
use tokio_util::io::ReaderStream;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// A script for `sh`. The address in it is a plain host name (`site::url`), so nothing of it is read as a command.
pub(crate) async fn script(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let server = site::url(&app, &headers);
    let text = SCRIPT.replace("@SERVER@", &server).replace("@ARCH@", consts::ARCH);
    ([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], text).into_response()
}

const SCRIPT: &str = r#"#!/bin/sh
# Puts the program `tatau` of this server into ~/.local/bin (or $TATAU_BIN). Nothing else is changed.
set -eu
server='@SERVER@'
folder="${TATAU_BIN:-$HOME/.local/bin}"
if [ "$(uname -s)" != Linux ] || [ "$(uname -m)" != '@ARCH@' ]; then
    echo "This server has tatau for Linux on @ARCH@ only (on Windows: in WSL2)." >&2
    exit 1
fi
mkdir -p "$folder"
echo "Fetching tatau from $server …"
if command -v curl >/dev/null; then
    curl -fsS -o "$folder/.tatau.new" "$server/download/tatau"
else
    wget -q -O "$folder/.tatau.new" "$server/download/tatau"
fi
chmod 755 "$folder/.tatau.new"
"$folder/.tatau.new" --version
mv "$folder/.tatau.new" "$folder/tatau"
echo "It lies in $folder/tatau."
case ":$PATH:" in
    *":$folder:"*) ;;
    *) echo "That folder is not in your PATH yet: open a new terminal, or write $folder/tatau instead of tatau." ;;
esac
echo "Is this machine fit?   tatau provide doctor"
echo "Then paste the line of your fleet page: $server/fleet"
"#;

/// The running program's own file.
pub(crate) async fn program() -> Result<Response, ApiError> {
    let path = std::env::current_exe().map_err(|e| ApiError::internal(&e))?;
    let file = tokio::fs::File::open(&path).await.map_err(|e| ApiError::internal(&e))?;
    let bytes = file.metadata().await.map_err(|e| ApiError::internal(&e))?.len();
    let body = Body::from_stream(ReaderStream::with_capacity(file, CHUNK));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"tatau\"".to_owned()),
    ];
    Ok((headers, body).into_response())
}
