//! Under which addresses this server is dialled: a signed request names one of them, so that a server which it was not
//! meant for cannot use it.
//!
//! Where the operator names public addresses, only those count. Else the address of the connection does, as long as
//! nothing stands between: `http://` and the socket's own address, and `localhost` on this machine.

use axum::http::Uri;
use std::net::{IpAddr, SocketAddr};

/// Longest host name.
const MAX_HOST: usize = 253;

/// Why an address is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is no address of a server ({why}); write for example https://farm.example")]
pub struct WrongAddress {
    given: String,
    why: &'static str,
}

/// Scheme, host and port as clients write them: lower case, without the scheme's own port, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The address as clients sign it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = WrongAddress;

    fn from_str(given: &str) -> Result<Self, WrongAddress> {
        let wrong = |why| WrongAddress { given: given.chars().take(200).collect(), why };
        let uri: Uri = given.parse().map_err(|_| wrong("it cannot be read"))?;
        let own_port = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(wrong("it starts with neither http:// nor https://")),
        };
        let scheme = uri.scheme_str().unwrap_or_default();
        if uri.path() != "/" || uri.query().is_some() || given.contains('#') {
            return Err(wrong("it has a path"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it names a user"));
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || host.len() > MAX_HOST {
            return Err(wrong("it names no host"));
        }
        Ok(Self(match authority.port_u16() {
            Some(port) if port != own_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

/// The names of one server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    public: Vec<PublicUrl>,
}

impl Names {
    pub(crate) fn new(public: Vec<PublicUrl>) -> Self {
        Self { public }
    }

    /// The first address that the operator named; something stands between then, and peers are whoever passes through it.
    pub(crate) fn public(&self) -> Option<&str> {
        self.public.first().map(PublicUrl::as_str)
    }

    /// Is `named` this server, for a request that came to its socket `local`?
    pub(crate) fn is_own(&self, named: &str, local: SocketAddr) -> bool {
        if !self.public.is_empty() {
            return self.public.iter().any(|url| url.0 == named);
        }
        let ip = local.ip().to_canonical();
        let port = if local.port() == 80 { String::new() } else { format!(":{}", local.port()) };
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        named == format!("http://{host}{port}")
            || (ip.is_loopback() && named == format!("http://localhost{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_clients_sign_it() {
        for (given, written) in [
            ("https://Farm.Example", "https://farm.example"),
            ("https://farm.example:443/", "https://farm.example"),
            ("http://farm.example:80", "http://farm.example"),
            ("http://[2001:DB8::1]:7117", "http://[2001:db8::1]:7117"),
            ("https://farm.example:8443", "https://farm.example:8443"),
        ] {
            assert_eq!(given.parse::<PublicUrl>().unwrap().as_str(), written);
        }
        for wrong in
            ["", "farm.example", "ftp://a", "http://a/b", "http://a/?x", "http://u@a", "http://", "http://ä"]
        {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_public_addresses_the_sockets_own_counts() {
        let names = Names::default();
        let own = |named: &str, local: &str| names.is_own(named, local.parse().unwrap());
        assert!(own("http://127.0.0.1:7117", "127.0.0.1:7117"));
        assert!(own("http://localhost:7117", "127.0.0.1:7117"));
        assert!(own("http://localhost:7117", "[::1]:7117"));
        assert!(own("http://[::1]:7117", "[::1]:7117"));
        assert!(own("http://10.0.0.5", "10.0.0.5:80"));
        assert!(own("http://10.0.0.5:7117", "[::ffff:10.0.0.5]:7117"));
        assert!(!own("http://localhost:7117", "10.0.0.5:7117"));
        assert!(!own("http://127.0.0.1:7118", "127.0.0.1:7117"));
        assert!(!own("https://127.0.0.1:7117", "127.0.0.1:7117"));
        assert!(!own("http://farm.example:7117", "10.0.0.5:7117"));
    }

    #[test]
    fn public_addresses_replace_the_sockets_own() {
        let names = Names::new(vec!["https://farm.example".parse().unwrap()]);
        let local = "127.0.0.1:7117".parse().unwrap();
        assert!(names.is_own("https://farm.example", local));
        // Every machine has this address: behind a proxy it says nothing.
        assert!(!names.is_own("http://127.0.0.1:7117", local));
    }
}
