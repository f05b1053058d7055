//! Programs of this machine that bundles of other farms ask for: found by the adaptor that such bundles call, `NAME-openjd`. Found is
//! not lent: whoever holds the licence says so.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tatau_model::environment::{HOST, is_host};

/// What adaptors' names end with.
const ADAPTOR: &str = "-openjd";
/// Folders that are looked at, and files in one of them.
const MOST: usize = 4_096;
/// Below home: where conda keeps its environments.
const IN_HOME: [&str; 6] = ["miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda"];
/// Folders of a whole system are no program's own.
const SHARED: [&str; 4] = ["/", "/usr", "/usr/local", "/usr/games"];

/// One that could be lent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// `cinema4d`, or `cinema4d@2025.1.0` where its version is known.
    pub name: String,
    /// The folder that it lies in, with `bin/` in it.
    pub folder: PathBuf,
}

impl Found {
    /// The words that lend it.
    pub fn flag(&self) -> String {
        format!("--program {}={}", self.name, self.folder.display())
    }
}

/// Looks at where programs are installed: what is in the PATH, `/opt`, conda's environments.
pub fn programs() -> Vec<Found> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    look(&places(&path, home.as_deref(), Path::new("/opt")))
}

/// Folders that may hold a program, each once.
fn places(path: &OsStr, home: Option<&Path>, opt: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::env::split_paths(path)
        .filter(|bin| bin.file_name() == Some(OsStr::new("bin")))
        .filter_map(|bin| bin.parent().map(Path::to_owned))
        .collect();
    let top = below(opt);
    all.extend(top.iter().flat_map(|folder| below(&folder.join("envs")).into_iter().chain(below(folder))));
    all.extend(top);
    for conda in IN_HOME.iter().filter_map(|name| Some(home?.join(name))) {
        all.extend(below(&conda.join("envs")));
        all.push(conda);
    }
    let mut all: Vec<PathBuf> = all.into_iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    all.retain(|folder| !SHARED.iter().any(|shared| folder == Path::new(shared)));
    all.sort();
    all.dedup();
    all.truncate(MOST);
    all
}

/// What cannot be read has nothing to lend.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn look(places: &[PathBuf]) -> Vec<Found> {
    let mut found = Vec::new();
    for folder in places {
        let files = fs::read_dir(folder.join("bin")).into_iter().flatten().flatten().take(MOST);
        let mut versions = None;
        for file in files {
            let name = file.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(ADAPTOR)) else { continue };
            let runs =
                fs::metadata(file.path()).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
            if !runs || !is_host(&format!("{HOST}{name}")) {
                continue;
            }
            let versions = versions.get_or_insert_with(|| installed(folder));
            let version = versions.get(name).filter(|v| is_host(&format!("{HOST}{name}@{v}")));
            let name = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
            found.push(Found { name, folder: folder.clone() });
        }
    }
    found.sort();
    found
}

/// Versions of conda's packages in this folder, from the names of their records: `NAME-VERSION-BUILD.json`.
fn installed(folder: &Path) -> BTreeMap<String, String> {
    let records = fs::read_dir(folder.join("conda-meta")).into_iter().flatten().flatten().take(MOST);
    let parts = |record: fs::DirEntry| {
        let record = record.file_name().into_string().ok()?;
        let (rest, _build) = record.strip_suffix(".json")?.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        Some((name.to_owned(), version.to_owned()))
    };
    records.filter_map(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn adaptors_are_found_with_their_programs_versions() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (opt, home, tools) = (root.join("opt"), root.join("home"), root.join("tools"));
        let conda = home.join("miniforge3/envs/c4d");
        file(&conda.join("bin/cinema4d-openjd"), 0o755);
        file(&conda.join("conda-meta/cinema4d-2025.1.0-0.json"), 0o644);
        file(&conda.join("conda-meta/cinema4d-openjd-0.6.2-py311_0.json"), 0o644);
        file(&opt.join("octane/bin/octane-openjd"), 0o755);
        file(&opt.join("notes/bin/read-openjd"), 0o644);
        file(&opt.join("odd/bin/a b-openjd"), 0o755);
        file(&tools.join("bin/maya-openjd"), 0o755);
        let path =
            std::env::join_paths([tools.join("bin"), root.join("absent/bin"), "/usr/bin".into()]).unwrap();
        let found = look(&places(&path, Some(&home), &opt));
        let words: Vec<String> = found.iter().map(Found::flag).collect();
        assert_eq!(
            words,
            [
                format!("--program cinema4d@2025.1.0={}", conda.display()),
                format!("--program maya={}", tools.display()),
                format!("--program octane={}", opt.join("octane").display()),
            ]
        );
    }
}
