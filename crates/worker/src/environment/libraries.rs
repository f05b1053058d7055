//! Which system libraries this machine has.

use super::{EnvironmentError, Need, io_at};
use std::{collections::HashSet, io, path::Path};
use tokio::process::Command;

const LDCONFIG: [&str; 3] = ["/sbin/ldconfig", "/usr/sbin/ldconfig", "/usr/bin/ldconfig"];

/// Debian packages of the needed libraries that the dynamic linker does not know; empty where nothing is missing.
pub async fn missing_packages(needs: &[Need]) -> Result<Vec<String>, EnvironmentError> {
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let Some(program) = LDCONFIG.iter().map(Path::new).find(|p| p.exists()) else {
        return Err(io_at(Path::new(LDCONFIG[0]), "run")(io::ErrorKind::NotFound.into()));
    };
    let told = Command::new(program).arg("-p").env_clear().output().await.map_err(io_at(program, "run"))?;
    if !told.status.success() {
        return Err(io_at(program, "run")(io::Error::other(told.status.to_string())));
    }
    Ok(missing(needs, &String::from_utf8_lossy(&told.stdout)))
}

/// Lines look like `libX11.so.6 (libc6,x86-64) => /lib/x86_64-linux-gnu/libX11.so.6`, indented.
fn missing(needs: &[Need], table: &str) -> Vec<String> {
    let wanted = if cfg!(target_arch = "x86_64") { "x86-64" } else { "" };
    let known: HashSet<&str> = table
        .lines()
        .filter(|line| line.contains(wanted))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut packages: Vec<String> = needs
        .iter()
        .filter(|need| !known.contains(need.library.as_str()))
        .map(|need| need.package.clone())
        .collect();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_the_linker_does_not_know() {
        let need = |library: &str, package: &str| Need { library: library.into(), package: package.into() };
        let table = "3 libs found\n\tlibGL.so.1 (libc6,x86-64) => /lib/x/libGL.so.1\n\tlibXi.so.6 (libc6) => /lib32/libXi.so.6\n";
        let needs = [need("libGL.so.1", "libgl1"), need("libXi.so.6", "libxi6")];
        assert_eq!(
            missing(&needs, table),
            if cfg!(target_arch = "x86_64") { vec!["libxi6"] } else { vec![] }
        );
    }
}
