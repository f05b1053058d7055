//! How the program ends: codes for programs, one sentence for people.

use crate::out;
use std::{fmt, process::ExitCode};
use tatau_client::ClientError;
use tatau_submit::{Kind, SubmitError};

/// Shown under `tatau --help`.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong arguments, or a file that cannot be used; nothing was sent
  3    refused: too little money, missing files, a scene that cannot be rendered, a price above the limit
  4    the server cannot be reached
  130  interrupted; the job, if there is one, goes on

Examples:
  tatau demo                                              see it all, on this machine
  tatau serve --local                                     a platform of your own, with starter credit
  tatau open                                              the pages, in your browser
  tatau provide                                           lend this machine's cards
  tatau render scene.blend --frames 1-24 --out frames     render; shows the price and asks first

The owner's key is made on first need, in the data folder (owner.key). Whoever has it has the money: back it up.";

/// How it ended, for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Failed = 1,
    Usage = 2,
    Refused = 3,
    Unreachable = 4,
    Interrupted = 130,
}

/// A reason to stop, with what may help.
#[derive(Debug)]
pub struct Ended {
    pub code: Code,
    pub sentence: String,
    pub hint: Option<String>,
}

impl Ended {
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), hint: None }
    }

    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Code::Usage, sentence)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Ended {}

/// Says how it ended and gives the exit code.
pub fn tell(done: anyhow::Result<()>, json: bool) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    let ended = classify(&error);
    if json {
        let code = ended.code as u8;
        let body =
            serde_json::json!({"error": {"exit": code, "sentence": ended.sentence, "hint": ended.hint}});
        out::json(&body);
    }
    let red = out::colour("31;1", "error:");
    eprintln!("{red} {}", out::clean(&ended.sentence));
    if let Some(hint) = &ended.hint {
        eprintln!("hint: {}", out::clean(hint));
    }
    ExitCode::from(ended.code as u8)
}

/// Arguments that were not understood, or a call for help: clap's own words, and JSON where that was asked for.
pub fn misused(error: &clap::Error) -> ExitCode {
    let asked = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if error.use_stderr() && asked {
        let text = error.render().to_string();
        let sentence = text.split("\n\n").next().unwrap_or_default().trim();
        let sentence = sentence.strip_prefix("error: ").unwrap_or(sentence);
        let code = Code::Usage as u8;
        out::json(&serde_json::json!({"error": {"exit": code, "sentence": sentence, "hint": "see --help"}}));
    }
    // A reader that went away needs no words.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { Code::Usage as u8 } else { 0 })
}

fn classify(error: &anyhow::Error) -> Ended {
    for cause in error.chain() {
        if let Some(ended) = cause.downcast_ref::<Ended>() {
            return Ended { hint: ended.hint.clone(), ..Ended::new(ended.code, words(error)) };
        }
        if let Some(failed) = cause.downcast_ref::<SubmitError>() {
            let code = match failed.kind() {
                Kind::Failed => Code::Failed,
                Kind::Usage => Code::Usage,
                Kind::Refused => Code::Refused,
                Kind::Unreachable => Code::Unreachable,
            };
            let hint = match failed {
                SubmitError::Client(e) => hint_of(e),
                SubmitError::Missing(_) => Some(
                    "put the files where the scene looks for them, or name their folder with --assets".into(),
                ),
                _ => None,
            };
            return Ended { hint, ..Ended::new(code, words(error)) };
        }
        if let Some(failed) = cause.downcast_ref::<ClientError>() {
            let code = match failed {
                ClientError::Refused { .. } => Code::Refused,
                ClientError::Unreachable(_) => Code::Unreachable,
                ClientError::Malformed(_) | ClientError::File(_) => Code::Failed,
            };
            return Ended { hint: hint_of(failed), ..Ended::new(code, words(error)) };
        }
    }
    Ended::new(Code::Failed, words(error))
}

/// The whole chain in one line, without saying the same twice.
fn words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let part = cause.to_string();
        if !text.contains(&part) {
            text = if text.is_empty() { part } else { format!("{text}: {part}") };
        }
    }
    text
}

fn hint_of(error: &ClientError) -> Option<String> {
    let hint = match error {
        ClientError::Unreachable(_) => {
            "start one with `tatau serve --local`, or name another with --server or `tatau login URL`"
        }
        ClientError::Refused { body, .. } => match body.code.as_str() {
            "too_little" => {
                "`tatau wallet` shows what you have, `tatau wallet unstake` frees stake; --max-price lowers what a render puts into escrow"
            }
            "unauthorized" => {
                "check this machine's clock, and that the token, if you gave one, is of this server"
            }
            "too_many" => "wait a moment and try again",
            _ => return None,
        },
        _ => return None,
    };
    Some(hint.into())
}

/// A panic is a fault of this program; a person sees a sentence, and the place for a report.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        let payload = panic.payload();
        let said = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        eprintln!("error: this is a fault of tatau itself: {}{place}", out::clean(&said));
        eprintln!("hint: please report this line; nothing that was paid or accepted is lost");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_api::ErrorBody;

    #[test]
    fn errors_become_codes() {
        let code = |error: anyhow::Error| classify(&error).code;
        assert_eq!(code(SubmitError::Usage("no".into()).into()), Code::Usage);
        assert_eq!(code(SubmitError::Missing(Vec::new()).into()), Code::Refused);
        assert_eq!(code(ClientError::Unreachable("away".into()).into()), Code::Unreachable);
        let body = ErrorBody { code: "too_little".into(), sentence: "not enough".into() };
        let refused =
            classify(&anyhow::Error::from(SubmitError::from(ClientError::Refused { status: 402, body })));
        assert_eq!(refused.code, Code::Refused);
        assert_eq!(refused.sentence, "not enough");
        assert!(refused.hint.is_some());
        assert_eq!(code(anyhow::anyhow!("x").context("y")), Code::Failed);
    }
}
