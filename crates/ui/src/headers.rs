//! Headers of every page. Nothing inline runs, nothing is loaded from elsewhere, nobody may frame a page.

/// Name and value, for every page.
pub const SECURITY: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("cache-control", "no-store"),
];

/// What a page may load and run. `wasm-unsafe-eval` is for the BLAKE3 of files that are dropped on a page.
pub const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' blob: data:; media-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For [`crate::Asset`]s: their address changes with their contents.
pub const KEPT: &str = "public, max-age=31536000, immutable";

/// For files of strangers that are shown (pictures, video): whatever they hold, nothing of it runs.
pub const FILE_POLICY: &str = "default-src 'none'; sandbox";
