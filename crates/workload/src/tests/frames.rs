use super::*;

#[test]
fn lists_are_read_in_the_order_written_each_frame_once() {
    for (text, expected) in [
        ("1-5", vec![1, 2, 3, 4, 5]),
        ("1-10:3, 20", vec![1, 4, 7, 10, 20]),
        ("1..3", vec![1, 2, 3]),
        ("7", vec![7]),
        ("-2-1", vec![-2, -1, 0, 1]),
        ("-5--3", vec![-5, -4, -3]),
        ("3,1,1-4", vec![3, 1, 2, 4]),
        ("1048574", vec![1_048_574]),
        ("5-5", vec![5]),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(expected.as_slice()), "{text}");
    }
}

#[test]
fn each_mistake_has_its_sentence() {
    let is = |text: &str, kind: fn(&FramesError) -> bool| {
        let error = parse(text).unwrap_err();
        assert!(kind(&error), "{text}: {error:?}");
    };
    is("", |e| *e == FramesError::Empty);
    is(" ", |e| *e == FramesError::Empty);
    for garbage in ["abc", "1-", "-", "1,,2", "1-2-3", "1.5", "1:2", "1-10:x", "1-5;rm", "+3", "٣", "1-10:"]
    {
        is(garbage, |e| matches!(e, FramesError::Garbage(_)));
    }
    is("9-1", |e| matches!(e, FramesError::Reversed(_)));
    for step in ["1-9:0", "1-9:-2"] {
        is(step, |e| matches!(e, FramesError::Step(_)));
    }
    for large in ["1048575", "-1048575", "99999999999", "1-2000000"] {
        is(large, |e| matches!(e, FramesError::TooLarge(_)));
    }
    assert_eq!(parse("1-100000").unwrap().len(), MAX_FRAMES);
    is("1-100001", |e| *e == FramesError::TooMany);
    is("1-60000,-60000--1", |e| *e == FramesError::TooMany);
    is(&"1,".repeat(1 << 20), |e| *e == FramesError::TooMany);
}

#[test]
fn a_list_that_repeats_itself_without_end_is_refused() {
    assert_eq!(parse("1-9,1-9,1-9").unwrap().len(), 9);
    assert_eq!(parse(&vec!["1-100000"; 100_000].join(",")), Err(FramesError::TooMany));
}

#[test]
fn what_is_written_is_read_back() {
    for (frames, text) in [
        (vec![1, 2, 3, 20], "1-3,20"),
        (vec![1, 4, 7], "1-7:3"),
        (vec![1, 4], "1,4"),
        (vec![1, 2], "1-2"),
        (vec![3, 1, 2], "3,1-2"),
        (vec![-5, -4, -3], "-5--3"),
        (vec![], ""),
    ] {
        assert_eq!(format(&frames), text);
    }
    let mut random = 42u64;
    println!("seed {random}");
    for _ in 0..2_000 {
        let mut frames: Vec<i32> = Vec::new();
        for _ in 0..12 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let frame = (random >> 33) as i32 % 20 - 8;
            if !frames.contains(&frame) {
                frames.push(frame);
            }
        }
        assert_eq!(parse(&format(&frames)).unwrap(), frames);
    }
}
