//! Mail, by the operator's SMTP server.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox,
    message::header::ContentType,
};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// How the operator sends mail.
#[derive(Clone)]
pub struct MailOptions {
    /// `smtps://user:password@host:465`, or `smtp://user:password@host:587?tls=required`; without `tls` only for one's own machine.
    pub url: String,
    /// Who it is from.
    pub from: String,
}

impl std::fmt::Debug for MailOptions {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailOptions").field("from", &self.from).finish_non_exhaustive()
    }
}

/// A connection to that server.
pub(crate) struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Post {
    /// Nothing is sent yet.
    pub(crate) fn new(options: &MailOptions) -> Result<Self, String> {
        let from = options.from.parse().map_err(|e| format!("--mail-from is no mail address ({e})"))?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&options.url)
            .map_err(|e| format!("the SMTP address cannot be read ({e}); write smtps://user:password@host"))?
            .timeout(Some(PATIENCE))
            .build();
        Ok(Self { transport, from })
    }

    /// Sends one mail of plain text.
    pub(crate) async fn send(&self, to: &str, subject: &str, text: String) -> Result<(), String> {
        let to = address(to)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|e| format!("the mail cannot be written: {e}"))?;
        self.transport.send(message).await.map(|_| ()).map_err(|e| format!("the mail was not taken: {e}"))
    }
}

/// One address, without a name.
pub(super) fn address(text: &str) -> Result<Mailbox, String> {
    let bad = || format!("'{}' is no mail address", text.chars().take(100).collect::<String>());
    let mailbox: Mailbox = text.trim().parse().map_err(|_| bad())?;
    if mailbox.name.is_some() || mailbox.email.to_string().len() > 254 { Err(bad()) } else { Ok(mailbox) }
}
