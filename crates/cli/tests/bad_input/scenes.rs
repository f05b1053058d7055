//! Scenes that are none, are damaged, lack files, or cannot be rendered and checked.

use crate::market::{Market, SMALL};
use std::fs;

/// Refused before anything is sent.
pub fn no_scenes(market: &Market) {
    fs::create_dir(market.house.path("folder.blend")).unwrap();
    fs::write(market.house.path("empty.blend"), b"").unwrap();
    fs::write(market.house.path("text.blend"), b"Dear renderer, please render this.").unwrap();
    for (file, words) in [
        ("folder.blend", "is no file; name a .blend"),
        ("empty.blend", "is no Blender file; name a .blend"),
        ("text.blend", "is no Blender file; name a .blend"),
        ("none.blend", "check its name"),
    ] {
        market.refused("ana", &["render", file, "--out", "never"], 2, &[file, words]);
    }
    assert!(!market.house.path("never").exists() && !market.house.path("ana/owner.key").exists());
}

fn render(market: &Market, scene: &str, words: &[&str]) {
    let file = market.path(&format!("scenes/{scene}.blend"));
    let out = format!("out-{scene}");
    market.refused_cheaply(&["render", &file, "--frames", "1", "--out", &out, "--yes"], 3, words, SMALL);
    let results = crate::market::below(&market.house.path(&out));
    assert!(results.is_empty(), "{results:?}");
}

pub fn damaged(market: &Market) {
    // As it was uploaded: a good head, and nothing or noise behind it.
    fs::write(market.house.path("scenes/head.blend"), b"BLENDER-v500").unwrap();
    fs::write(market.house.path("scenes/later.blend"), b"BLENDER-v999REND").unwrap();
    for scene in ["head", "truncated", "random", "random-packed"] {
        render(market, scene, &["cannot open the scene", "save it again"]);
    }
    render(market, "endless", &["cannot open the scene", "save it again"]);
    // Half a megabyte that wants eight gigabytes: the sandbox ends it, the provider lives.
    render(market, "bomb", &["needs more memory", "make it smaller"]);
    render(market, "later", &["was saved by Blender 9.99", "save it with Blender 5.0"]);
}

/// However often it is asked, the answer says what to do, and the market does not wear out.
pub fn damage_again(market: &Market) {
    for round in 0..9 {
        let words = if round < 7 { "cannot open the scene" } else { "inspections" };
        render(market, "head", &[words, "save it again"]);
    }
}

pub fn missing_files(market: &Market) {
    render(market, "no-texture", &["//textures/bark.png", "there is no file", "--assets"]);
    render(market, "no-library", &["//library/props.blend", "there is no file", "--assets"]);
    // The scene asks for a file of the buyer's that is none of its business.
    render(market, "passwd-texture", &["/etc/passwd", "outside the scene's reach", "--assets"]);
}

pub fn unfit(market: &Market) {
    for (scene, words) in [
        ("no-camera", ["no camera", "add one"]),
        ("eevee", ["renders with EEVEE", "Render Engine to Cycles"]),
        ("guiding", ["Path guiding is on", "switch off"]),
        ("cloth", ["cloth is a simulation that is not baked", "press Bake"]),
        ("osl", ["Open Shading Language", "switch it off"]),
    ] {
        render(market, scene, &words);
    }
}
