//! Names of environments: those of this version (`blender-5.0`), and programs that a provider has itself (`host:cinema4d@2025.1`).

/// What names of providers' own programs begin with.
pub const HOST: &str = "host:";
/// Longest name.
pub const MAX_BYTES: usize = 100;

/// Is it a provider's own program, well written: `host:NAME` or `host:NAME@VERSION`, of letters, digits and `.`, `_`, `-`?
pub fn is_host(name: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with(['.', '-'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let Some(rest) = name.strip_prefix(HOST).filter(|_| name.len() <= MAX_BYTES) else { return false };
    match rest.split_once('@') {
        Some((program, version)) => plain(program) && plain(version),
        None => plain(rest),
    }
}

/// The program's own name, without `host:` and version.
pub fn program(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(HOST)?;
    Some(rest.split_once('@').map_or(rest, |(program, _)| program))
}

/// Does an offered environment serve who wants `wanted`? Versions match from the left: 2025.1.2 serves 2025.1 and 2025, not 2025.2.
pub fn serves(offered: &str, wanted: &str) -> bool {
    if offered == wanted {
        return true;
    }
    let (Some(_), Some(_)) = (offered.strip_prefix(HOST), wanted.strip_prefix(HOST)) else { return false };
    if program(offered) != program(wanted) {
        return false;
    }
    match (offered.split_once('@'), wanted.split_once('@')) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((_, has)), Some((_, wants))) => {
            has.strip_prefix(wants).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_match_from_the_left() {
        for (offered, wanted, fits) in [
            ("blender-5.0", "blender-5.0", true),
            ("blender-5.0", "blender-4.5", false),
            ("host:c4d@2025.1.2", "host:c4d", true),
            ("host:c4d@2025.1.2", "host:c4d@2025", true),
            ("host:c4d@2025.1.2", "host:c4d@2025.1", true),
            ("host:c4d@2025.1.2", "host:c4d@2025.2", false),
            ("host:c4d@2025.12", "host:c4d@2025.1", false),
            ("host:c4d", "host:c4d@2025", false),
            ("host:c4d", "host:c4d", true),
            ("host:octane", "host:c4d", false),
            ("c4d", "host:c4d", false),
        ] {
            assert_eq!(serves(offered, wanted), fits, "{offered} for {wanted}");
        }
        for (name, good) in [
            ("host:cinema4d@2025.1", true),
            ("host:a", true),
            ("host:", false),
            ("host:@1", false),
            ("host:a@", false),
            ("host:a b", false),
            ("host:../x", false),
            ("host:a/b", false),
            ("blender-5.0", false),
        ] {
            assert_eq!(is_host(name), good, "{name}");
        }
        assert_eq!(program("host:c4d@2025"), Some("c4d"));
    }
}
