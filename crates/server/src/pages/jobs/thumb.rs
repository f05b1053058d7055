//! Small pictures of accepted frames, made once and kept in the data folder.
//!
//! The one place where the server itself decodes a picture: only accepted PNG files of the size that their job was paid for, row by
//! row, by a decoder without unsafe code, with limits on size and memory. Everything else about pictures is done in sandboxes.

use crate::{app::App, error::ApiError};
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};
use std::{
    fs,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use tatau_model::{BlobId, OutputFile};
use tokio::sync::Semaphore;

pub(super) const CONTENT_TYPE: &str = "image/jpeg";
/// Longest edge of a small picture, pixels.
const EDGE_PX: u32 = 320;
/// JPEG quality.
const QUALITY: u8 = 82;
/// Memory of the decoder beside one row, bytes.
const DECODER_BYTES: usize = 64 << 20;
/// Largest file that is decoded, bytes.
const MOST_BYTES: u64 = 1 << 30;
/// Longest edge that is decoded, pixels.
const MOST_EDGE_PX: u32 = 16_384;
/// Decoded at once.
const AT_ONCE: usize = 2;
/// Small pictures of one of the 256 folders; one that is full is emptied, and they are made again when they are asked for.
const MOST_IN_FOLDER: usize = 1_000;
/// What lies behind transparent pixels.
const GROUND: u32 = 128;

/// Where small pictures are kept.
pub(crate) struct Thumbs {
    dir: PathBuf,
    room: Arc<Semaphore>,
}

impl Thumbs {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn path(&self, blob: &BlobId) -> PathBuf {
        let name = blob.to_string();
        self.dir.join(&name[..2]).join(format!("{}.jpg", &name[2..]))
    }
}

/// The small picture of an accepted PNG.
pub(super) async fn of(app: &App, file: &OutputFile) -> Result<Vec<u8>, ApiError> {
    let path = app.thumbs.path(&file.blob);
    if let Some(kept) = kept(path.clone()).await? {
        return Ok(kept);
    }
    let room = Arc::clone(&app.thumbs.room).acquire_owned().await.map_err(|e| ApiError::internal(&e))?;
    // Somebody else may have made it meanwhile.
    if let Some(kept) = kept(path.clone()).await? {
        return Ok(kept);
    }
    let blob = file.blob;
    let opened =
        app.blobs.run(move |store| store.open_blob(&blob)).await.map_err(|e| ApiError::internal(&e))?;
    let opened = opened.ok_or_else(|| ApiError::not_found(app.gone()))?;
    let made = tokio::task::spawn_blocking(move || {
        let small = small(BufReader::new(opened.take(MOST_BYTES)))?;
        // One that cannot be kept is made again.
        if let Err(error) = keep(&path, &small) {
            tracing::warn!(path = %path.display(), %error, "a small picture was not kept");
        }
        drop(room);
        Ok(small)
    });
    made.await.map_err(|e| ApiError::internal(&e))?.map_err(|why: String| {
        ApiError::invalid(format!(
            "no small picture can be made of this frame ({why}); open the frame itself"
        ))
    })
}

async fn kept(path: PathBuf) -> Result<Option<Vec<u8>>, ApiError> {
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.count() >= MOST_IN_FOLDER {
        fs::remove_dir_all(folder)?;
        fs::create_dir_all(folder)?;
    }
    let draft = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(draft.path(), bytes)?;
    draft.persist(path)?;
    Ok(())
}

/// A JPEG of at most [`EDGE_PX`] a side: each of its pixels is the mean of the pixels it stands for.
fn small(png: impl std::io::BufRead + std::io::Seek) -> Result<Vec<u8>, String> {
    let words = |e: png::DecodingError| e.to_string();
    let mut decoder = Decoder::new_with_limits(png, Limits { bytes: DECODER_BYTES });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(words)?;
    let (width, height, interlaced) = {
        let info = reader.info();
        (info.width, info.height, info.interlaced)
    };
    if interlaced || width == 0 || height == 0 || width > MOST_EDGE_PX || height > MOST_EDGE_PX {
        return Err("it has another form than frames have".into());
    }
    let (color, depth) = reader.output_color_type();
    let channels = match (color, depth) {
        (ColorType::Grayscale, BitDepth::Eight) => 1,
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => 2,
        (ColorType::Rgb, BitDepth::Eight) => 3,
        (ColorType::Rgba, BitDepth::Eight) => 4,
        _ => return Err("it has other colours than frames have".into()),
    };
    let (to_width, to_height) = fitted(width, height);
    let mut out = Vec::with_capacity(3 * (to_width * to_height) as usize);
    let mut sums = vec![[0u32; 3]; to_width as usize];
    let place = |x: u32, from: u32, to: u32| (u64::from(x) * u64::from(to) / u64::from(from)) as u32;
    let mut rows = 0;
    let mut at = 0;
    for y in 0..height {
        let row = reader.next_row().map_err(words)?.ok_or("it ends too early")?;
        let row = row.data();
        if place(y, height, to_height) != at {
            flush(&mut sums, &mut out, rows, width);
            (at, rows) = (place(y, height, to_height), 0);
        }
        rows += 1;
        for (x, pixel) in row.chunks_exact(channels).enumerate() {
            let sum =
                sums.get_mut(place(x as u32, width, to_width) as usize).ok_or("its rows are too long")?;
            for (sum, value) in sum.iter_mut().zip(seen(pixel)) {
                *sum += value;
            }
        }
    }
    flush(&mut sums, &mut out, rows, width);
    let mut jpeg = Vec::new();
    let size = |px: u32| u16::try_from(px).map_err(|e| e.to_string());
    jpeg_encoder::Encoder::new(&mut jpeg, QUALITY)
        .encode(&out, size(to_width)?, size(to_height)?, jpeg_encoder::ColorType::Rgb)
        .map_err(|e| e.to_string())?;
    Ok(jpeg)
}

/// The size of the small picture.
fn fitted(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= EDGE_PX {
        return (width, height);
    }
    let scaled = |px: u32| (u64::from(px) * u64::from(EDGE_PX) / u64::from(longest)).max(1) as u32;
    (scaled(width), scaled(height))
}

/// Red, green, blue as they are seen before the ground.
fn seen(pixel: &[u8]) -> [u32; 3] {
    let over = |value: u8, alpha: u8| {
        (u32::from(value) * u32::from(alpha) + GROUND * (255 - u32::from(alpha))) / 255
    };
    match *pixel {
        [v] => [u32::from(v); 3],
        [v, a] => [over(v, a); 3],
        [r, g, b] => [r, g, b].map(u32::from),
        [r, g, b, a, ..] => [r, g, b].map(|v| over(v, a)),
        [] => [0; 3],
    }
}

/// Writes the means of a finished row of small pixels.
fn flush(sums: &mut [[u32; 3]], out: &mut Vec<u8>, rows: u32, width: u32) {
    let to_width = sums.len() as u64;
    for (x, sum) in sums.iter_mut().enumerate() {
        // How many columns fall to this one, by the same division that placed them.
        let first = |x: u64| (x * u64::from(width)).div_ceil(to_width.max(1));
        let columns = first(x as u64 + 1) - first(x as u64);
        let count = (u64::from(rows) * columns).max(1);
        for value in sum.iter_mut() {
            out.push((u64::from(*value) / count).min(255) as u8);
            *value = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn png(width: u32, height: u32, color: ColorType, pixel: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        let data = pixel.repeat((width * height) as usize);
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
        bytes
    }

    #[test]
    fn a_frame_becomes_small_and_keeps_its_colour() {
        for (width, height, to) in
            [(1_000, 500, (320, 160)), (321, 7, (320, 6)), (3, 2_000, (1, 320)), (16, 9, (16, 9))]
        {
            assert_eq!(fitted(width, height), to);
            let jpeg = small(Cursor::new(png(width, height, ColorType::Rgb, &[200, 30, 90]))).unwrap();
            assert!(jpeg.starts_with(&[0xff, 0xd8, 0xff]), "a JPEG");
        }
        // Means, exactly: every small pixel of a plain picture has its colour.
        let mut sums = vec![[0u32; 3]; 3];
        for x in 0..10u32 {
            let sum = &mut sums[(x * 3 / 10) as usize];
            for value in sum.iter_mut() {
                *value += 2 * 77;
            }
        }
        let mut out = Vec::new();
        flush(&mut sums, &mut out, 2, 10);
        assert_eq!(out, [77; 9]);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let good = png(400, 300, ColorType::Rgba, &[1, 2, 3, 128]);
        assert!(small(Cursor::new(good.clone())).is_ok());
        for bad in [b"BLENDER".to_vec(), good[..good.len() / 2].to_vec(), Vec::new()] {
            assert!(small(Cursor::new(bad)).is_err());
        }
        // A header that promises more than is decoded.
        let mut huge = good;
        huge[16..20].copy_from_slice(&40_000u32.to_be_bytes());
        assert!(small(Cursor::new(huge)).is_err());
        assert_eq!(seen(&[255, 255, 255, 0]), [GROUND; 3]);
    }
}
