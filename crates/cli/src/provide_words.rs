//! What happens to a provider, in words and as JSON lines.

use crate::{node, out};
use serde_json::{Value, json};
use tatau_agent::AgentEvent;

/// Says it, where it is worth saying.
pub fn tell(event: &AgentEvent, json: bool) {
    if json {
        if let Some(value) = as_json(event) {
            out::json(&value);
        }
    } else if let Some(text) = in_words(event) {
        out::say(&text);
    }
}

fn in_words(event: &AgentEvent) -> Option<String> {
    Some(match event {
        AgentEvent::Provisioning { environment, stage } => node::stage(environment, stage),
        AgentEvent::Registered { node } => {
            let cards: Vec<String> = node.cards.iter().map(|card| out::clean_line(&card.name)).collect();
            format!("registered as {} for {}: {}", node.id, node.owner, cards.join(", "))
        }
        AgentEvent::Warning { sentence } => {
            format!("{} {}", out::colour("33", "warning:"), out::clean_line(sentence))
        }
        AgentEvent::Waiting { reason } => format!("waiting: {}", out::clean_line(reason)),
        AgentEvent::Resumed => "the server answers again".into(),
        AgentEvent::Settings { settings } => {
            format!("the owner's fleet page says: {}", out::clean_line(&settings.sentence()))
        }
        AgentEvent::Leased { attempt, work, card, price, .. } => {
            format!("{attempt}: {} on card {card}, pays up to {price} TATAU", work.label())
        }
        AgentEvent::Ready { .. }
        | AgentEvent::Begun { .. }
        | AgentEvent::Ran { .. }
        | AgentEvent::Warm { .. }
        | AgentEvent::Picture { .. }
        | AgentEvent::Progress { .. } => return None,
        AgentEvent::Committed { attempt, wall_ms } => {
            format!("{attempt}: done in {}, receipt signed", out::duration(*wall_ms))
        }
        AgentEvent::Delivered { attempt } => format!("{attempt}: delivered"),
        AgentEvent::Failed { attempt, code, sentence } => {
            format!("{attempt}: failed ({}): {}", out::clean_line(code), out::clean_line(sentence))
        }
        AgentEvent::Returned { attempt } => format!("{attempt}: given back"),
        AgentEvent::Lost { attempt, sentence } => format!("{attempt}: lost: {}", out::clean_line(sentence)),
        AgentEvent::Stopped { delivered, kept } => {
            format!("stopped: {delivered} delivered, {kept} kept for the next start")
        }
    })
}

fn as_json(event: &AgentEvent) -> Option<Value> {
    Some(match event {
        AgentEvent::Provisioning { environment, stage } => node::stage_json(environment, stage),
        AgentEvent::Registered { node } => json!({"event": "registered", "node": node}),
        AgentEvent::Warning { sentence } => json!({"event": "warning", "sentence": sentence}),
        AgentEvent::Waiting { reason } => json!({"event": "waiting", "reason": reason}),
        AgentEvent::Resumed => json!({"event": "resumed"}),
        AgentEvent::Settings { settings } => json!({"event": "settings", "settings": settings}),
        AgentEvent::Leased { attempt, job, work, card, price } => {
            json!({"event": "leased", "attempt": attempt, "job": job, "work": work, "card": card, "price": price})
        }
        AgentEvent::Ready { .. }
        | AgentEvent::Begun { .. }
        | AgentEvent::Ran { .. }
        | AgentEvent::Warm { .. }
        | AgentEvent::Picture { .. }
        | AgentEvent::Progress { .. } => return None,
        AgentEvent::Committed { attempt, wall_ms } => {
            json!({"event": "committed", "attempt": attempt, "wall_ms": wall_ms})
        }
        AgentEvent::Delivered { attempt } => json!({"event": "delivered", "attempt": attempt}),
        AgentEvent::Failed { attempt, code, sentence } => {
            json!({"event": "failed", "attempt": attempt, "code": code, "sentence": sentence})
        }
        AgentEvent::Returned { attempt } => json!({"event": "returned", "attempt": attempt}),
        AgentEvent::Lost { attempt, sentence } => {
            json!({"event": "lost", "attempt": attempt, "sentence": sentence})
        }
        AgentEvent::Stopped { delivered, kept } => {
            json!({"event": "stopped", "delivered": delivered, "kept": kept})
        }
    })
}
