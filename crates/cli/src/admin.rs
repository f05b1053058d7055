//! `tatau admin`.

use crate::{
    context::Context,
    exit::{Code, Ended},
    out,
};
use std::path::PathBuf;
use tatau_client::Credentials;

/// The operator's commands.
#[derive(Debug, clap::Args)]
pub struct Admin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Recomputes every balance from the journal, and says whether the books are sound (exit code 1 if not).
    AuditBooks {
        /// The operator's token; operator.token in the data folder by default.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
    },
}

pub async fn run(options: Admin, context: &Context) -> anyhow::Result<()> {
    let Verb::AuditBooks { token_file } = options.verb;
    let path = match token_file {
        Some(path) => path,
        None => context.data()?.join("operator.token"),
    };
    let token = std::fs::read_to_string(&path).map_err(|e| {
        Ended::usage(format!("the operator's token {} cannot be read: {e}", path.display()))
            .hint("name the server's data folder with --data, or the file with --token-file")
    })?;
    let books = context.client_as(Credentials::Token(token.trim().to_owned()))?.admin_books().await?;
    if context.json() {
        out::json(&books);
    } else {
        let rows: Vec<Vec<String>> =
            books.accounts.iter().map(|line| vec![line.account.clone(), line.amount.to_string()]).collect();
        out::line(&out::table(&["account", "TATAU"], &[1], &rows));
        out::line(&format!("{} journal entries, sum {}", books.entries, books.sum));
    }
    for problem in &books.problems {
        out::say(&format!("problem: {}", out::clean_line(problem)));
    }
    if books.balanced { Ok(()) } else { Err(Ended::new(Code::Failed, "the books do not balance").into()) }
}
