//! Calls an owner's address. It is a stranger's choice where this server connects to: only to public addresses, only over what was
//! looked up, without redirects, and nothing of the answer is kept.

use super::Told;
use reqwest::{Client, Url, redirect::Policy};
use ring::hmac;
use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tatau_model::{Clock, SystemClock};
use tatau_store::Webhook;

const PATIENCE: Duration = Duration::from_secs(10);

/// A URL that may be called: http or https, a host, no user. `local`: also addresses of one's own machine and network.
pub(super) fn check(text: &str, local: bool) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|e| format!("the address to call cannot be read ({e}); write https://…"))?;
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err("the address to call must begin with https:// (or http://)".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the address to call must not hold a name or password; the signature says who calls".into()
        );
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|ip| !local && !is_public(ip)) {
        return Err(NOT_PUBLIC.into());
    }
    Ok(url)
}

const NOT_PUBLIC: &str = "the address to call is not on the public internet; this server calls no others";

/// Calls it; any 2xx is an answer.
pub(super) async fn call(hook: &Webhook, told: &Told, local: bool) -> Result<(), String> {
    let url = check(&hook.url, local)?;
    let body = serde_json::to_vec(told).map_err(|e| e.to_string())?;
    let at = SystemClock.now().0;
    let signature = format!("t={at},v1={}", sign(&hook.secret, at, &body));
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host.as_str(), port))).await;
    let found = found.map_err(|_| format!("{host} was not found in time"))?;
    let addresses: Vec<SocketAddr> = found.map_err(|e| format!("{host} was not found: {e}"))?.collect();
    if !local && addresses.iter().any(|address| !is_public(address.ip())) {
        return Err(NOT_PUBLIC.into());
    }
    // Connects to what was just looked at, whatever the name says a moment later.
    // Another part of the program may have installed one already; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .timeout(PATIENCE)
        .redirect(Policy::none())
        .no_proxy()
        .resolve_to_addrs(&host, &addresses)
        .user_agent(concat!("tatau/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| e.to_string())?;
    let sent = client
        .post(url)
        .header("content-type", "application/json")
        .header("tatau-signature", signature)
        .body(body)
        .send();
    let status = sent.await.map_err(|e| format!("{host} does not answer ({})", innermost(&e)))?.status();
    if status.is_success() { Ok(()) } else { Err(format!("{host} answered {status}")) }
}

/// The reason beneath the reasons.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(inner) = reason.source() {
        reason = inner;
    }
    reason.to_string()
}

/// HMAC-SHA-256 over `{ms}.{body}` under the secret's text, hex: whoever is called checks it, and that `t` is recent.
fn sign(secret: &str, at: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{at}.").as_bytes());
    context.update(body);
    hex(context.sign().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Reachable by everybody (the IANA special-purpose registries of IPv4 and IPv6 addresses leave these out).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    // Global unicast alone (2000::/3), less documentation, 6to4 and Teredo, which carry IPv4 addresses inside.
    let [first, second, ..] = ip.segments();
    (first & 0xe000) == 0x2000
        && first != 0x2002
        && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_called() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
        assert!(check("https://farm.example/hook?x=1", false).is_ok());
        for bad in [
            "ftp://a.example",
            "https://u:p@a.example",
            "file:///etc/passwd",
            "http://[::1]:80/",
            "http://0x7f.1/",
            "x",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        assert!(check("http://127.0.0.1:9/", true).is_ok());
    }

    #[test]
    fn the_signature_is_hmac_sha_256() {
        // RFC 4231, test case 2, with the moment cut off: key "Jefe", data "what do ya want for nothing?".
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let whole = hmac::sign(&key, b"7.what do ya want for nothing?");
        assert_eq!(sign("Jefe", 7, b"what do ya want for nothing?"), hex(whole.as_ref()));
        let known = hmac::sign(&key, b"what do ya want for nothing?");
        assert_eq!(known.as_ref()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
