//! Where to go after signing in: a path of this server, and never anywhere else.

/// Longest path that is gone back to.
const MAX: usize = 500;

/// `next` if it is a path of this server; else `home`.
///
/// Browsers take `//host`, `/\host` and either of them with tabs in between for another site, so a path here is plain ASCII
/// without any of these.
pub(super) fn own_path<'a>(next: &'a str, home: &'a str) -> &'a str {
    let plain = next.len() <= MAX && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let own = next.starts_with('/') && !next.starts_with("//");
    // Signing in again after signing in, or signing out at once, helps nobody.
    let loops = next.starts_with("/sign-") || next.starts_with("/enter/");
    if plain && own && !loops { next } else { home }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_to() {
        for path in ["/", "/jobs/job-3?x=1#y", "/fleet", "/a//b", "/%2f%2fevil.example"] {
            assert_eq!(own_path(path, "/home"), path);
        }
        for other in [
            "",
            "fleet",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/ /evil.example",
            "/\n/evil.example",
            "javascript:alert(1)",
            "/ä",
            "/sign-out",
            "/sign-in?next=/x",
            "/enter/abc",
        ] {
            assert_eq!(own_path(other, "/home"), "/home", "{other:?}");
        }
        assert_eq!(own_path(&format!("/{}", "a".repeat(MAX)), "/home"), "/home");
    }
}
