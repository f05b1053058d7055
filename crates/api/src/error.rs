//! The one shape of every error.

use serde::{Deserialize, Serialize};

/// JSON body of every answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// For programs: `bad_request`, `unauthorized`, `forbidden`, `not_found`, `conflict`, `too_little`, `too_large`,
    /// `too_many`, `invalid`, `barred`, `unavailable`, `internal`.
    pub code: String,
    /// For people: one sentence that says what is wrong and what to do.
    pub sentence: String,
}
