//! Join codes: what a machine says once to enter a fleet, in place of its owner's signature.

use rand::RngExt;
use tatau_store::TokenHash;

/// Every code begins so, to be known in logs and by those who find one.
const PREFIX: &str = "join-";
/// Letters and digits that are not taken for each other.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// They carry 99 bits.
const DIGITS: usize = 20;

/// A fresh code: `join-` and four groups of five.
pub(crate) fn make() -> String {
    let mut rng = rand::rng();
    let mut code = PREFIX.to_owned();
    for n in 0..DIGITS {
        if n > 0 && n % 5 == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    }
    code
}

/// What is kept of a code. Spaces around it and capitals do no harm.
pub(crate) fn digest(code: &str) -> TokenHash {
    *blake3::hash(code.trim().to_ascii_lowercase().as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_plain_and_different() {
        let (a, b) = (make(), make());
        assert_ne!(a, b);
        assert_eq!(a.len(), 28);
        assert!(a.bytes().all(|c| c == b'-' || c.is_ascii_alphanumeric()));
        assert_eq!(digest(&a), digest(&format!(" {}\n", a.to_uppercase())));
    }
}
