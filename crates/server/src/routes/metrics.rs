//! `GET /metrics`: Prometheus text format, for the operator's token or for a scraper on this machine.

use crate::{
    alarms::alarms,
    app::App,
    auth::{Call, Who},
    error::ApiError,
    facts::{self, Facts},
    watch::Comparator,
};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use std::{fmt::Write, sync::Arc};
use tatau_model::{Amount, Millis};

/// Marks of a proxy: what comes through one comes from anywhere.
const PROXIES: [&str; 3] = ["forwarded", "x-forwarded-for", "via"];

pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, ApiError> {
    let through_proxy =
        app.names.public().is_some() || PROXIES.iter().any(|name| headers.contains_key(*name));
    let neighbour = call.peer.is_loopback() && !through_proxy && matches!(call.who, Who::Nobody);
    if !neighbour {
        call.operator()?;
    }
    let text = text(&facts::look(&app).await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a String does not fail.
        let _ = writeln!(self.0, "# HELP tatau_{name} {help}\n# TYPE tatau_{name} {kind}");
    }
    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "tatau_{name}{labels} {value}");
    }
    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }
    fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "counter", help);
        self.sample(name, "", value);
    }
    fn labelled<V: std::fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.family(name, "gauge", help);
        for (key, value) in values {
            self.sample(name, &format!("{{{label}=\"{}\"}}", escape(&key)), value);
        }
    }
}

/// A label's value as the format wants it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(facts: &Facts) -> String {
    let mut out = Text(String::with_capacity(8_192));
    out.labelled("info", "Version of the server.", "version", [(env!("CARGO_PKG_VERSION").to_owned(), 1)]);
    out.gauge("start_time_seconds", "When the server started, Unix time.", facts.started.0 / 1_000);
    people(&mut out, facts);
    queues(&mut out, facts);
    money(&mut out, facts);
    server(&mut out, facts);
    let told = alarms(facts).into_iter().map(|alarm| (alarm.name.to_owned(), 1));
    out.labelled("alarm", "Alarms of the operator's page that stand now.", "name", told);
    out.0
}

fn people(out: &mut Text, facts: &Facts) {
    let census = &facts.market.census;
    out.gauge("nodes", "Nodes in fleets.", census.nodes);
    out.gauge("nodes_online", "Nodes heard from lately.", census.nodes_online);
    out.gauge("nodes_draining", "Nodes online that take no new work.", census.nodes_draining);
    out.gauge("validators_online", "Nodes online that validate.", census.validators_online);
    out.gauge("validator_owners_online", "Owners of these.", census.validator_owners);
    out.gauge("accounts", "Accounts.", census.accounts);
    out.gauge("accounts_barred", "Accounts that get no work.", census.barred);
    let versions = census.versions.iter().map(|(version, count)| (version.clone(), *count));
    out.labelled("nodes_by_version", "Nodes online by version.", "version", versions);
    let each = |value: fn(&tatau_engine::ClassCensus) -> u64| {
        census.classes.iter().map(move |(class, count)| (class.clone(), value(count))).collect::<Vec<_>>()
    };
    out.labelled("cards_online", "Cards on offer by class.", "class", each(|c| u64::from(c.online)));
    out.labelled("cards_working", "Cards with a lease by class.", "class", each(|c| u64::from(c.working)));
    out.labelled(
        "ask_middle_nano_tatau",
        "Middle ask for a reference hour by class.",
        "class",
        each(|c| c.middle_ask().map_or(0, |ask| u64::try_from(ask.0).unwrap_or(0))),
    );
}

fn queues(out: &mut Text, facts: &Facts) {
    let census = &facts.market.census;
    let age = |at: Option<Millis>| at.map_or(0, |at| facts.now.since(at) / 1_000);
    out.gauge("jobs_running", "Jobs that run.", census.jobs_running);
    out.gauge("jobs_paused", "Jobs that wait for their buyer.", census.jobs_paused);
    out.gauge("tasks_ready", "Tasks that may be leased.", census.tasks_ready);
    out.gauge("tasks_ready_oldest_seconds", "Age of the oldest of these.", age(census.oldest_ready));
    out.labelled(
        "attempts",
        "Attempts by state.",
        "state",
        [
            ("leased".to_owned(), census.leased),
            ("committed".to_owned(), census.committed),
            ("delivered".to_owned(), census.delivered),
        ],
    );
    out.labelled(
        "audits",
        "Audits without a verdict by state.",
        "state",
        [
            ("open".to_owned(), census.audits_open),
            ("assigned".to_owned(), census.audits_assigned),
            ("revealed".to_owned(), census.audits_revealed),
        ],
    );
    out.gauge(
        "audits_oldest_seconds",
        "Age of the oldest audit without a verdict.",
        age(census.oldest_audit),
    );
    out.gauge(
        "audits_revealed_oldest_seconds",
        "Age of the oldest audit at the comparator.",
        age(census.oldest_revealed),
    );
    let all = &facts.market.all;
    out.counter("frames_verified_total", "Frames accepted.", all.frames);
    out.counter("tasks_verified_total", "Tasks accepted.", all.tasks);
    out.counter("audits_judged_total", "Audits of decided results.", all.audits);
    out.counter("wrong_results_total", "Results proven wrong.", all.caught);
    out.counter("paid_nano_tatau_total", "Paid to providers.", all.paid.0);
    out.counter("audit_pay_nano_tatau_total", "Paid to validators.", all.audit_pay.0);
}

fn money(out: &mut Text, facts: &Facts) {
    let till = &facts.till;
    let purse = |name: &str, amount: Amount| (name.to_owned(), amount.0);
    out.labelled(
        "money_nano_tatau",
        "Balances by purpose, over all accounts.",
        "purpose",
        [
            purse("available", till.available),
            purse("escrow", till.escrow),
            purse("pending", till.pending),
            purse("stake", till.stake),
            purse("fees", till.fees),
            purse("insurance", till.insurance),
            purse("burned", till.burned),
        ],
    );
    if let Some(run) = &facts.books {
        out.gauge("books_sound", "1 where the last audit of the books found nothing.", u8::from(run.sound));
        out.gauge("books_audited_seconds", "When that was, Unix time.", run.at.0 / 1_000);
    }
}

fn server(out: &mut Text, facts: &Facts) {
    let beat = &facts.beat;
    out.counter("writer_events_total", "Events decided.", beat.events);
    out.counter("writer_refused_total", "Events refused.", beat.refused);
    out.counter("writer_batches_total", "Batches made durable.", beat.batches);
    out.counter("writer_changes_total", "Changes in them.", beat.changes);
    out.family("writer_commit_seconds_total", "counter", "Time that commits took.");
    let (seconds, rest) = (beat.commit_us / 1_000_000, beat.commit_us % 1_000_000);
    out.sample("writer_commit_seconds_total", "", format_args!("{seconds}.{rest:06}"));
    out.gauge("writer_batch_largest", "Changes of the largest batch.", beat.largest);
    out.gauge("writer_queue", "Messages before the writer.", facts.queue.0);
    out.gauge("writer_queue_limit", "How many may wait.", facts.queue.1);
    out.counter("market_looks_total", "Looks at the market for pages and metrics.", facts.looks);
    let works = matches!(facts.comparator, Comparator::Idle | Comparator::Working);
    out.gauge("comparator_up", "0 where audits wait for the comparator.", u8::from(works));
    out.counter("comparator_measured_total", "Audits measured since the start.", facts.judged);
    out.gauge("blob_bytes", "Blobs at rest.", facts.blob_bytes);
    out.gauge("blob_quota_bytes", "Their quota.", facts.blob_quota);
    out.gauge("database_bytes", "The database and its log.", facts.database_bytes);
    if let Some(disk) = facts.disk {
        out.gauge("disk_free_bytes", "Room on the disk with the data folder.", disk.free);
        out.gauge("disk_bytes", "Its size.", disk.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample_of_a_family_named_before() {
        let text = text(&Facts::default());
        let mut families = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(families.insert(rest.split(' ').next().unwrap().to_owned()), "twice: {line}");
            } else if !line.starts_with("# HELP ") {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(families.contains(name.split('{').next().unwrap()), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(families.len() > 40);
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
