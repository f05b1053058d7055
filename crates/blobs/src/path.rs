//! Paths inside a manifest: relative, with `/`, and nothing that could lead out of the folder they are laid out in.

/// Longest path, bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// Longest component, bytes (what Linux file systems take).
pub const MAX_COMPONENT_BYTES: usize = 255;
/// Most components.
pub const MAX_DEPTH: usize = 32;

/// Why a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path '{path}' {reason}")]
pub struct PathError {
    /// The path, shortened and without control characters.
    pub path: String,
    /// What is wrong, and what to do.
    pub reason: &'static str,
}

/// Is `path` fit for a manifest?
pub fn check_path(path: &str) -> Result<(), PathError> {
    match fault(path) {
        None => Ok(()),
        Some(reason) => Err(PathError { path: printable(path), reason }),
    }
}

/// The first characters, harmless on a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(120).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("is empty; name the file");
    }
    if path.len() > MAX_PATH_BYTES {
        return Some("is longer than 1024 bytes; shorten it");
    }
    if path.starts_with('/') {
        return Some("is absolute; make it relative to the folder");
    }
    if path.contains('\\') {
        return Some("has a backslash; separate folders by /");
    }
    if path.chars().any(char::is_control) {
        return Some("has control characters; rename the file");
    }
    let mut depth = 0;
    for component in path.split('/') {
        depth += 1;
        match component {
            "" => return Some("has an empty part; write single slashes and none at the end"),
            "." => return Some("has a part '.'; leave it out"),
            ".." => return Some("has a part '..'; keep all files inside the folder"),
            _ if component.len() > MAX_COMPONENT_BYTES => {
                return Some("has a part longer than 255 bytes; shorten it");
            }
            _ => {}
        }
    }
    (depth > MAX_DEPTH).then_some("is more than 32 folders deep; flatten it")
}
