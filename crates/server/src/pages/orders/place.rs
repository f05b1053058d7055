//! Where the files that were dropped on a page lie in the inputs. Pure.
//!
//! A page knows the names of what was dropped, not where it lay on the buyer's disk. So the inputs begin some folders above what
//! was dropped: a scene that refers to files above its own folder finds them there under the names that its inspection gives
//! them (`crates/submit/src/assets.rs` does the same for files on a disk).

use tatau_blobs::check_path;

/// The inputs' root lies so many folders above what was dropped; as far as the command line looks for files above a scene.
const ABOVE: usize = 6;
/// A folder above what was dropped, whose real name nobody knows.
const NAMELESS: &str = "_up/";
const CLIMBS: &str =
    "its path climbs out of the scene's reach; copy the file beside the scene and point the scene to it";

/// The path in the inputs of something that was dropped under this path.
pub(super) fn dropped(path: &str) -> String {
    NAMELESS.repeat(ABOVE) + path
}

/// The path as it was dropped, for people.
pub(super) fn shown(path: &str) -> &str {
    path.strip_prefix(&NAMELESS.repeat(ABOVE)[..]).unwrap_or(path)
}

/// The path in the inputs of a file that an inspection misses at `resolved`, relative to the folder of `scene`.
pub(super) fn wanted(scene: &str, resolved: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = scene.split('/').collect();
    parts.pop();
    for part in resolved.split('/') {
        match part {
            ".." => drop(parts.pop().ok_or(CLIMBS)?),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    check_path(&path).map_err(|e| e.to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_climb_meet_what_was_dropped() {
        let scene = dropped("film/scenes/shot.blend");
        assert_eq!(shown(&scene), "film/scenes/shot.blend");
        assert_eq!(wanted(&scene, "../textures/wood.png").unwrap(), dropped("film/textures/wood.png"));
        assert_eq!(wanted(&scene, "../../film/a.png").unwrap(), dropped("film/a.png"));
        assert_eq!(wanted(&scene, "_absolute/C:/b.png").unwrap(), dropped("film/scenes/_absolute/C:/b.png"));
        assert_eq!(
            wanted(&dropped("shot.blend"), "../lib/c.blend").unwrap(),
            "_up/_up/_up/_up/_up/lib/c.blend"
        );
    }

    #[test]
    fn nothing_leaves_the_inputs() {
        let scene = dropped("shot.blend");
        assert!(wanted(&scene, &"../".repeat(6)).is_err(), "no name");
        assert!(wanted(&scene, &("../".repeat(6) + "x.png")).is_ok());
        let far = wanted(&scene, &("../".repeat(7) + "x.png")).unwrap_err();
        assert!(far.contains("climbs"), "{far}");
        for bad in ["", "a//b", "./a", "a\\b", "/etc/passwd", "a\u{7}"] {
            assert!(wanted(&scene, bad).is_err(), "{bad:?}");
        }
    }
}
