//! This server's own address, as whoever looks at a page reaches it: for lines to paste.

use crate::app::App;
use axum::http::{HeaderMap, header};

/// Longest host and port.
const MAX_HOST: usize = 260;

/// Scheme, host and port: as the operator named it, else as the browser dialled it. What the browser says is taken only where it
/// is a plain host name: it ends up in commands.
pub(crate) fn url(app: &App, headers: &HeaderMap) -> String {
    let named = app.names.public().map(str::to_owned);
    named.or_else(|| told(headers)).unwrap_or_else(|| app.url.clone())
}

fn told(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").or_else(|| text(header::HOST.as_str()))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    if host.is_empty() || host.len() > MAX_HOST || host.starts_with('-') || !host.bytes().all(plain) {
        return None;
    }
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    Some(format!("{scheme}://{}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_hosts_get_into_commands() {
        let with = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            told(&headers)
        };
        assert_eq!(with("Farm.example:7117").as_deref(), Some("http://farm.example:7117"));
        assert_eq!(with("[::1]:7117").as_deref(), Some("http://[::1]:7117"));
        for evil in ["a;rm -rf /", "$(x)", "a b", "a'b", "-x", "", "a/b", "`x`"] {
            assert_eq!(with(evil), None, "{evil}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        headers.insert("x-forwarded-host", "farm.example".parse().unwrap());
        assert_eq!(told(&headers).as_deref(), Some("https://farm.example"));
    }
}
