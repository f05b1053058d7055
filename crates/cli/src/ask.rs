//! A question to a person at a terminal.

use crate::{
    exit::{Code, Ended},
    stop::Stop,
};
use std::io::{self, IsTerminal, Write};

/// Is somebody there to answer?
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Yes or no; anything but a yes is a no.
pub async fn agreed(question: &str, stop: &mut Stop) -> anyhow::Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    let answered = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = answered => line??,
        () = stop.asked() => {
            return Err(Ended::new(Code::Interrupted, "interrupted; nothing was paid").into());
        }
    };
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
