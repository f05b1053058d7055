use super::*;

fn frames(width: u32, height: u32, reference_ms: u64) -> Frames {
    Frames { count: 10, width, height, reference_ms }
}

fn auto(width: u32, height: u32, minutes: u64, score_milli: u64) -> Option<Grid> {
    grid(Wish::Auto, frames(width, height, minutes * 60_000 * score_milli / 1_000), score_milli).unwrap()
}

#[test]
fn only_long_frames_are_cut_and_their_tiles_last_minutes() {
    assert_eq!(auto(1_920, 1_080, 10, 40), None);
    for (minutes, score) in [(11, 40), (30, 1_000), (55, 3_000), (240, 40), (10_000, 40)] {
        let grid = auto(7_680, 3_840, minutes, score).unwrap();
        let each = minutes as f64 / f64::from(grid.count());
        assert!(grid.count() > 48 || (1.0..=10.0).contains(&each), "{minutes} min: {grid}, {each} min");
        assert!(grid.columns >= grid.rows, "{grid} of a panorama");
    }
    assert_eq!(auto(256, 256, 60, 40).map(Grid::count), Some(4), "tiles of a small frame stay large enough");
    assert_eq!(auto(200, 200, 60, 40), None);
}

#[test]
fn tiles_cover_every_pixel_once_and_begin_where_hashed_tiles_begin() {
    for (width, height, text) in
        [(480, 270, "3x2"), (1_920, 1_080, "4x4"), (3_840, 1_920, "8x8"), (1_000, 700, "2x5")]
    {
        let Ok(Wish::Grid(grid)) = text.parse() else { panic!("{text}") };
        let tiles: Vec<_> = (0..grid.count()).map(|i| grid.tile(i, width, height).unwrap()).collect();
        let area: u64 = tiles.iter().map(|t| u64::from(t.w) * u64::from(t.h)).sum();
        assert_eq!(area, u64::from(width) * u64::from(height), "{text}");
        for (index, a) in tiles.iter().enumerate() {
            assert_eq!((a.x % Grid::STEP_PX, a.y % Grid::STEP_PX), (0, 0));
            assert!(a.x + a.w <= width && a.y + a.h <= height);
            for b in &tiles[index + 1..] {
                let apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                assert!(apart, "{a:?} and {b:?} overlap");
            }
        }
        assert_eq!(grid.tile(grid.count(), width, height), None);
    }
}

#[test]
fn a_wish_is_read_kept_or_refused_in_one_sentence() {
    for (text, wish) in [("auto", Wish::Auto), ("", Wish::Auto), ("off", Wish::Off)] {
        assert_eq!(text.parse(), Ok(wish));
    }
    for text in ["4", "0x2", "4x", "x", "-1x2", "70000x1", "4x2x1", "on"] {
        assert_eq!(text.parse::<Wish>(), Err(TilesError::Form), "{text}");
    }
    let asked = |text: &str, width, height| grid(text.parse().unwrap(), frames(width, height, 1), 40);
    assert_eq!(asked("4x2", 960, 540).unwrap().unwrap().to_string(), "4x2");
    assert_eq!(asked("off", 960, 540), Ok(None));
    for (text, width, height) in [("9x9", 8_000, 8_000), ("4x2", 480, 200), ("65535x65535", 8_000, 8_000)] {
        assert!(matches!(asked(text, width, height), Err(TilesError::TooMany(..))), "{text}");
    }
    let many = Frames { count: 10_000, ..frames(960, 540, 1) };
    assert!(matches!(grid("2x2".parse().unwrap(), many, 40), Err(TilesError::TooMany(..))));
}
