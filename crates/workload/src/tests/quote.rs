use super::*;
use tatau_model::amount::NANO;

fn wanted() -> Wanted {
    Wanted {
        frame_parts: vec![160],
        frames: 24,
        known: 0,
        picture_reference_ms: Some(10),
        picture: (480, 270),
        video: true,
        least_price: Amount(1_000),
    }
}

fn line(class: &str, score_milli: u64, ask: i64, cards: u32) -> OfferLine {
    OfferLine { class: class.into(), score_milli, ask_per_reference_hour: Amount(ask), cards }
}

fn row(rows: &[Row], class: &str, strategy: Strategy) -> Row {
    rows.iter().find(|r| r.class == class && r.strategy == strategy).unwrap().clone()
}

#[test]
fn strategies_trade_price_for_time() {
    let offers = [
        line("cpu", 40, NANO, 2),
        line("cpu", 40, NANO * 109 / 100, 2),
        line("cpu", 40, 2 * NANO, 4),
        line("cpu", 40, 3 * NANO, 1),
        line("cpu", 40, 4 * NANO, 8),
        line("rtx-4090", 11_500, 3 * NANO, 1),
    ];
    let rows = quote(&wanted(), &offers).unwrap();
    assert_eq!(rows.len(), 6);
    let all = [Strategy::Cheapest, Strategy::Balanced, Strategy::Fastest].map(|s| row(&rows, "cpu", s));
    assert_eq!(all.each_ref().map(|r| r.cards), [4, 8, 17]);
    assert!(all[0].price < all[1].price && all[1].price < all[2].price);
    assert!(all[0].time_ms > all[1].time_ms && all[1].time_ms > all[2].time_ms);
    assert!(all.iter().all(|r| r.cap > r.price));
    let fast = row(&rows, "rtx-4090", Strategy::Balanced);
    assert!(fast.time_ms < all[2].time_ms && fast.cards == 1);
}

#[test]
fn the_price_is_that_of_the_leases() {
    let rows = quote(&wanted(), &[line("cpu", 40, NANO, 1)]).unwrap();
    let lease = |ms| units::price(Amount(NANO), ms).unwrap().0;
    let expected = 24 * (lease(160) + lease(10)) + lease(units::video_reference_ms(24, 480, 270));
    let balanced = row(&rows, "cpu", Strategy::Balanced);
    assert_eq!((balanced.price, balanced.cap), (Amount(expected), Amount(expected * 3 / 2)));
    assert!(row(&rows, "cpu", Strategy::Cheapest).cap > balanced.cap, "a tenth more may be admitted later");
    let least = quote(&wanted(), &[line("cpu", 40, 1, 1)]).unwrap();
    assert_eq!(least[0].price, Amount(49 * 1_000), "no lease is below the least price");
}

#[test]
fn time_counts_whole_frames_on_whole_cards() {
    let wanted = Wanted { frames: 5, video: false, ..wanted() };
    let frame = (160 + 10) * 25;
    let on = |cards| quote(&wanted, &[line("cpu", 40, NANO, cards)]).unwrap()[0].time_ms;
    assert_eq!([on(1), on(2), on(4), on(5), on(500)], [5, 3, 2, 1, 1].map(|n| n * frame));
}

#[test]
fn what_is_there_already_costs_neither_money_nor_time() {
    let offer = [line("cpu", 40, NANO, 1)];
    let row = |frames, known| {
        let wanted = Wanted { frames, known, video: false, ..wanted() };
        quote(&wanted, &offer).unwrap().remove(0)
    };
    assert_eq!((row(5, 3).price, row(5, 3).time_ms), (row(2, 0).price, row(2, 0).time_ms));
    let nothing = row(5, 5);
    assert_eq!((nothing.price, nothing.time_ms), (Amount::ZERO, 0));
    assert_eq!(nothing.cap, wanted().least_price, "an escrow is never empty");
}

#[test]
fn an_empty_market_has_no_rows_and_a_mad_one_no_wrong_ones() {
    assert_eq!(quote(&wanted(), &[]).unwrap(), []);
    assert_eq!(quote(&wanted(), &[line("cpu", 40, NANO, 0), line("cpu", 0, NANO, 1)]).unwrap(), []);
    assert!(quote(&wanted(), &[line("cpu", 40, i64::MAX, 1)]).is_err());
    let endless = Wanted { frames: u64::MAX, ..wanted() };
    assert!(quote(&endless, &[line("cpu", 40, NANO, 1)]).is_err());
}
