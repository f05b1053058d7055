//! Makes an environment in a cache folder: `provision CACHE_DIR [NAME]`. Prints its folder.

use std::path::PathBuf;
use tatau_worker::{Recipe, provision};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let cache = PathBuf::from(words.next().ok_or("usage: provision CACHE_DIR [NAME]")?);
    let name = words.next().unwrap_or_else(|| "blender-5.0".into());
    let folder = provision(&cache, &Recipe::by_name(&name)?, &mut |stage| eprintln!("{stage:?}")).await?;
    println!("{}", folder.display());
    Ok(())
}
