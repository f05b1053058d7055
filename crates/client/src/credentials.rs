//! Who a request comes from.

use tatau_evidence::SigningKey;
use tatau_model::Address;

/// How requests are signed. Secrets are never printed.
#[derive(Clone)]
pub enum Credentials {
    /// An owner's or a node's key: every request is signed afresh.
    Key(SigningKey),
    /// A bearer token: of an account (`tatau_…`), or the operator's.
    Token(String),
    /// Nobody: only the open calls work.
    None,
}

impl Credentials {
    /// The address whose key signs, if one does.
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Key(key) => Some(key.address()),
            Self::Token(_) | Self::None => None,
        }
    }
}
