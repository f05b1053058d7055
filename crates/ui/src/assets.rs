//! Embedded files, named by their contents so that a browser may keep them for ever.

use std::sync::LazyLock;

/// One file.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its plain name, such as `style.css`.
    pub name: &'static str,
    /// For the header `Content-Type`.
    pub content_type: &'static str,
    /// Its contents.
    pub bytes: &'static [u8],
}

const JS: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    Asset {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/style.css"),
    },
    Asset { name: "tatau.js", content_type: JS, bytes: include_bytes!("../assets/tatau.js") },
    Asset { name: "live.js", content_type: JS, bytes: include_bytes!("../assets/live.js") },
    Asset { name: "hash.js", content_type: JS, bytes: include_bytes!("../assets/hash.js") },
    Asset { name: "closing.js", content_type: JS, bytes: include_bytes!("../assets/closing.js") },
    Asset { name: "new.js", content_type: JS, bytes: include_bytes!("../assets/new.js") },
    Asset { name: "missing.js", content_type: JS, bytes: include_bytes!("../assets/missing.js") },
    Asset { name: "order.js", content_type: JS, bytes: include_bytes!("../assets/order.js") },
    Asset { name: "job.js", content_type: JS, bytes: include_bytes!("../assets/job.js") },
    Asset { name: "panorama.js", content_type: JS, bytes: include_bytes!("../assets/panorama.js") },
    Asset { name: "htmx.js", content_type: JS, bytes: include_bytes!("../assets/vendor/htmx.min.js") },
    Asset { name: "sse.js", content_type: JS, bytes: include_bytes!("../assets/vendor/htmx-sse.min.js") },
    Asset { name: "blake3.js", content_type: JS, bytes: include_bytes!("../assets/vendor/blake3.min.js") },
    Asset { name: "mark.svg", content_type: "image/svg+xml", bytes: include_bytes!("../assets/mark.svg") },
];

/// Addresses in the order of [`ASSETS`]: `/assets/<first digits of the BLAKE3>-<name>`.
static URLS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let one = |asset: &Asset| {
        let hash = blake3::hash(asset.bytes).to_hex();
        format!("/assets/{}-{}", &hash[..12], asset.name)
    };
    ASSETS.iter().map(one).collect()
});

/// The address of a file by its plain name; a name that is not there gives an address that is answered 404.
pub fn url(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.and_then(|at| URLS.get(at)).map_or("/assets/absent", String::as_str)
}

/// The file behind the last part of an address made by [`url`]. Such an address never changes its contents.
pub fn asset(last: &str) -> Option<&'static Asset> {
    let at = URLS.iter().position(|url| url.strip_prefix("/assets/") == Some(last))?;
    ASSETS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_by_its_address_and_by_no_other() {
        for one in ASSETS {
            let last = url(one.name).strip_prefix("/assets/").unwrap();
            assert_eq!(asset(last).unwrap().name, one.name);
            assert!(!one.bytes.is_empty());
        }
        assert!(asset("style.css").is_none() && asset("").is_none());
        assert_eq!(url("nothing.js"), "/assets/absent");
    }
}
