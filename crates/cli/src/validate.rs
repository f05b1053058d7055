//! `tatau validate`.

use crate::{
    context::Context,
    exit::Ended,
    node::{self, NodeFlags},
    out,
};
use serde_json::{Value, json};
use std::sync::Arc;
use tatau_model::Amount;
use tatau_validator::{ValidateError, ValidateOptions, ValidatorEvent, validate};

/// Audits others' work and is paid for it.
///
/// A validator needs free stake (`tatau wallet stake AMOUNT`). It computes small parts of others' frames again, blind: it never sees the
/// claim it checks. Ctrl-C finishes what runs; a second one stops at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau wallet stake 2
  tatau validate
  tatau validate --slots 1 --threads 2")]
pub struct Validate {
    #[command(flatten)]
    node: NodeFlags,
    /// Price of one hour of a GTX 1080 Ti's worth of re-computation, TATAU; audits are paid by it.
    #[arg(long, default_value_t = tatau_validator::DEFAULT_ASK, value_name = "AMOUNT")]
    ask: Amount,
}

pub async fn run(options: Validate, context: &Context) -> anyhow::Result<()> {
    if !options.ask.is_positive() {
        return Err(Ended::usage("--ask must be more than zero").into());
    }
    node::log("warn", context.json())?;
    let mut validator = ValidateOptions::new(context.server().to_owned(), options.node.options(context)?);
    validator.ask_per_reference_hour = options.ask;
    let json = context.json();
    validator.on = Arc::new(move |event| tell(&event, json));
    if !json {
        out::say(&format!("validating for {}", context.server()));
    }
    match validate(validator, node::stop_signal()?).await {
        Err(ValidateError::Node(error)) if node::unless_stopped(&error) => Ok(()),
        other => Ok(other?),
    }
}

fn tell(event: &ValidatorEvent, json: bool) {
    if json {
        if let Some(value) = as_json(event) {
            out::json(&value);
        }
    } else if let Some(text) = in_words(event) {
        out::say(&text);
    }
}

fn in_words(event: &ValidatorEvent) -> Option<String> {
    Some(match event {
        ValidatorEvent::Provisioning { environment, stage } => node::stage(environment, stage),
        ValidatorEvent::Registered { node } => format!("registered as {} for {}", node.id, node.owner),
        ValidatorEvent::Warning { sentence } => {
            format!("{} {}", out::colour("33", "warning:"), out::clean_line(sentence))
        }
        ValidatorEvent::Waiting { reason } => format!("waiting: {}", out::clean_line(reason)),
        ValidatorEvent::Resumed => "the server answers again".into(),
        ValidatorEvent::Taken { audit, work } => format!("{audit}: {}", work.label()),
        ValidatorEvent::Progress { .. } => return None,
        ValidatorEvent::Committed { audit, work_ms } => {
            format!("{audit}: done in {}, committed", out::duration(*work_ms))
        }
        ValidatorEvent::Revealed { audit } => format!("{audit}: revealed"),
        ValidatorEvent::Failed { audit, code, sentence } => {
            format!("{audit}: failed ({}): {}", out::clean_line(code), out::clean_line(sentence))
        }
        ValidatorEvent::Returned { audit } => format!("{audit}: given back"),
        ValidatorEvent::Lost { audit, sentence } => format!("{audit}: lost: {}", out::clean_line(sentence)),
        ValidatorEvent::Stopped { revealed, kept } => {
            format!("stopped: {revealed} revealed, {kept} kept for the next start")
        }
    })
}

fn as_json(event: &ValidatorEvent) -> Option<Value> {
    Some(match event {
        ValidatorEvent::Provisioning { environment, stage } => node::stage_json(environment, stage),
        ValidatorEvent::Registered { node } => json!({"event": "registered", "node": node}),
        ValidatorEvent::Warning { sentence } => json!({"event": "warning", "sentence": sentence}),
        ValidatorEvent::Waiting { reason } => json!({"event": "waiting", "reason": reason}),
        ValidatorEvent::Resumed => json!({"event": "resumed"}),
        ValidatorEvent::Taken { audit, work } => json!({"event": "taken", "audit": audit, "work": work}),
        ValidatorEvent::Progress { .. } => return None,
        ValidatorEvent::Committed { audit, work_ms } => {
            json!({"event": "committed", "audit": audit, "work_ms": work_ms})
        }
        ValidatorEvent::Revealed { audit } => json!({"event": "revealed", "audit": audit}),
        ValidatorEvent::Failed { audit, code, sentence } => {
            json!({"event": "failed", "audit": audit, "code": code, "sentence": sentence})
        }
        ValidatorEvent::Returned { audit } => json!({"event": "returned", "audit": audit}),
        ValidatorEvent::Lost { audit, sentence } => {
            json!({"event": "lost", "audit": audit, "sentence": sentence})
        }
        ValidatorEvent::Stopped { revealed, kept } => {
            json!({"event": "stopped", "revealed": revealed, "kept": kept})
        }
    })
}
