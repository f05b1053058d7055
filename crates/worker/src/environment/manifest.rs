//! The manifest of an environment.

use super::{EnvironmentError, Recipe};
use serde::Deserialize;

/// `manifest.json`, as far as provisioning needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Its name; equal to the recipe's.
    pub name: String,
    /// Python version, such as `3.11`.
    pub python: String,
    /// Run inside the finished folder, relative to it; must exit with zero.
    #[serde(default)]
    pub check: Vec<String>,
    /// Bytes of the finished folder.
    #[serde(default)]
    pub disk_bytes: u64,
    /// System libraries.
    #[serde(default)]
    pub needs: Vec<Need>,
}

/// One system library.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Need {
    /// Its soname, such as `libX11.so.6`.
    pub library: String,
    /// The Debian package that has it.
    pub package: String,
}

impl Manifest {
    /// Reads the manifest of a recipe.
    pub fn parse(recipe: &Recipe<'_>) -> Result<Self, EnvironmentError> {
        let bad = |reason: String| EnvironmentError::Manifest { name: recipe.name.to_owned(), reason };
        let manifest: Self = serde_json::from_str(recipe.manifest).map_err(|e| bad(e.to_string()))?;
        if manifest.name != recipe.name {
            return Err(bad(format!("it is of '{}'", manifest.name)));
        }
        let version = |text: &str| text.split('.').all(|n| n.parse::<u8>().is_ok());
        if !version(&manifest.python) || manifest.python.split('.').count() != 2 {
            return Err(bad("its Python version is not like 3.11".into()));
        }
        let plain = |text: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
        };
        if !manifest.needs.iter().all(|need| plain(&need.library) && plain(&need.package)) {
            return Err(bad("a system library has an odd name".into()));
        }
        Ok(manifest)
    }
}
