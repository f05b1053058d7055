//! `tatau account notify`.

use crate::{context::Context, exit::Ended, out};
use tatau_api::{Notify, SetNotify};

/// Where you are told that a render job is finished, paused or failed; without options it shows how that stands.
///
/// A call is a POST with JSON, signed: `Tatau-Signature: t=MS,v1=HEX` is HMAC-SHA-256 over `MS.BODY` under the secret that is shown. It
/// comes again until it is answered with 2xx, for about three days; the same `notice` is the same news. A mail address counts once the
/// code that is sent there came back.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau account notify --webhook https://studio.example/tatau --test
  tatau account notify --mail ana@studio.example
  tatau account notify --code 12345678
  tatau account notify --no-webhook --no-mail")]
pub struct NotifyOptions {
    /// An address on the internet to call.
    #[arg(long, value_name = "URL", conflicts_with = "no_webhook")]
    webhook: Option<String>,
    /// Calls nothing any more.
    #[arg(long)]
    no_webhook: bool,
    /// A mail address; a code is sent there.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_mail")]
    mail: Option<String>,
    /// Writes to nobody any more.
    #[arg(long)]
    no_mail: bool,
    /// The code that came by mail.
    #[arg(long)]
    code: Option<String>,
    /// Calls the address now, with a test.
    #[arg(long)]
    test: bool,
}

pub async fn run(options: NotifyOptions, context: &Context) -> anyhow::Result<()> {
    let given = |text: Option<String>, none: bool| if none { Some(String::new()) } else { text };
    if options.webhook.as_deref() == Some("") || options.mail.as_deref() == Some("") {
        return Err(Ended::usage("an empty address tells nobody; use --no-webhook or --no-mail").into());
    }
    let wanted = SetNotify {
        webhook: given(options.webhook, options.no_webhook),
        mail: given(options.mail, options.no_mail),
        code: options.code,
        test: options.test,
    };
    let client = context.account().await?;
    let stands = if wanted == SetNotify::default() {
        client.notify().await?
    } else {
        client.set_notify(&wanted).await?
    };
    if context.json() {
        out::json(&stands);
    } else {
        tell(&stands);
        if wanted.test {
            out::say("the test was taken");
        }
    }
    Ok(())
}

fn tell(stands: &Notify) {
    match (&stands.webhook, &stands.secret) {
        (Some(url), Some(secret)) => {
            out::say(&format!("calls {}; secret {secret}", out::clean_line(url)));
        }
        _ => out::say("calls nothing"),
    }
    match &stands.mail {
        Some(mail) if stands.mail_confirmed => out::say(&format!("writes to {}", out::clean_line(mail))),
        Some(mail) => out::say(&format!(
            "a code was sent to {}; confirm it with: tatau account notify --code CODE",
            out::clean_line(mail)
        )),
        None if stands.mail_possible => out::say("writes to nobody"),
        None => out::say("this server sends no mail"),
    }
}
