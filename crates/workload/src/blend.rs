//! Which Blender saved a file, and which environment shows it as its artist saw it: told by the file's first bytes.

use std::io::Read;

/// So many bytes of a file are enough, bytes.
pub const HEAD_BYTES: usize = 64 * 1024;
/// So many of them, unpacked, hold the version.
const PLAIN_BYTES: usize = 32;
/// The newest environment, and the first version of Blender that it is for.
const NEWEST: (&str, (u8, u8)) = ("blender-5.0", (5, 0));
/// For everything older.
const OLDER: &str = "blender-4.5";

/// `(major, minor)` of the Blender that wrote a file which begins like this; `None` where that cannot be told.
pub fn saved_by(head: &[u8]) -> Option<(u8, u8)> {
    let plain = unpacked(head)?;
    let rest = plain.strip_prefix(b"BLENDER")?;
    // `BLENDER-v405` to 4.5, `BLENDER17-01v0500` since 5.0.
    let digits = |text: &[u8]| -> Option<u8> { std::str::from_utf8(text).ok()?.parse().ok() };
    match rest {
        [b'_' | b'-', b'v' | b'V', major, minor @ ..] => Some((digits(&[*major])?, digits(minor.get(..2)?)?)),
        [a, b, b'-', c, d, b'v' | b'V', version @ ..]
            if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            Some((digits(version.get(..2)?)?, digits(version.get(2..4)?)?))
        }
        _ => None,
    }
}

/// The environment for a file which begins like this. A file of a newer Blender, or one that tells nothing, is opened in the newest,
/// which says what is wrong with it.
pub fn environment(head: &[u8]) -> &'static str {
    let (newest, since) = NEWEST;
    if saved_by(head).is_some_and(|version| version < since) { OLDER } else { newest }
}

/// The first bytes behind the packing: none, gzip (to Blender 2.93) or zstd (since 3.0).
fn unpacked(head: &[u8]) -> Option<Vec<u8>> {
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    let mut plain = Vec::new();
    match head {
        [0x1f, 0x8b, ..] => {
            let read = flate2::read::GzDecoder::new(head).take(PLAIN_BYTES as u64).read_to_end(&mut plain);
            read.ok()?;
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            // It refuses windows of more than 100 MB, and holds no more than it has unpacked.
            let decoder = ruzstd::decoding::StreamingDecoder::new(head).ok()?;
            decoder.take(PLAIN_BYTES as u64).read_to_end(&mut plain).ok()?;
        }
        _ => plain.extend_from_slice(head.get(..PLAIN_BYTES).unwrap_or(head)),
    }
    Some(plain)
}

#[cfg(test)]
#[path = "tests/blend.rs"]
mod tests;
