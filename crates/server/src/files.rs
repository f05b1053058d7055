//! Delivered files: plain names, present bytes.

use crate::error::ApiError;
use std::collections::HashSet;
use tatau_blobs::BlobStore;
use tatau_model::OutputFile;
use tatau_workload::trace::{OUTPUT_NAMES, is_output_name};

const MOST_FILES: usize = 256;

/// Each name plain and given once.
pub(crate) fn check_names(files: &[OutputFile]) -> Result<(), ApiError> {
    if files.is_empty() || files.len() > MOST_FILES {
        return Err(ApiError::invalid(format!("name 1 to {MOST_FILES} files")));
    }
    let mut seen = HashSet::new();
    for file in files {
        let name = &file.name;
        if !is_output_name(name) {
            return Err(ApiError::invalid(format!("a file cannot be called so; {OUTPUT_NAMES}")));
        }
        if !seen.insert(name) {
            return Err(ApiError::invalid(format!("{name} is named twice")));
        }
    }
    Ok(())
}

/// Each blob here, of the size named.
pub(crate) async fn check_present(blobs: &BlobStore, files: &[OutputFile]) -> Result<(), ApiError> {
    let files = files.to_vec();
    let missing = blobs.run(move |store| {
        for file in files {
            let size = store.size(&file.blob)?;
            if size != Some(file.bytes) {
                return Ok(Some((file, size)));
            }
        }
        Ok(None)
    });
    match missing.await.map_err(|e| ApiError::internal(&e))? {
        None => Ok(()),
        Some((file, None)) => {
            Err(ApiError::conflict(format!("{} has not arrived; upload it, then say so again", file.name)))
        }
        Some((file, Some(size))) => {
            Err(ApiError::invalid(format!("{} has {size} bytes, not the {} named", file.name, file.bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::BlobId;

    #[test]
    fn names_that_could_lead_elsewhere_are_refused() {
        let file = |name: &str| OutputFile { name: name.into(), blob: BlobId::default(), bytes: 1 };
        assert!(check_names(&[file("frame_0001.exr"), file("beauty/l/result.json")]).is_ok());
        for bad in ["", "../x", "a/../b", "/a", "a/", "a//b", "a/.ssh", ".ssh", "a\nb", "ä", "a/b/c/d/e/f"] {
            assert!(check_names(&[file(bad)]).is_err(), "{bad}");
        }
        assert!(check_names(&[file("a"), file("a")]).is_err());
        assert!(check_names(&[]).is_err());
    }
}
