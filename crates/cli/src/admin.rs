//! `tatau admin`.

use crate::{
    context::Context,
    exit::{Code, Ended},
    meter::Meter,
    out,
};
use std::path::{Path, PathBuf};
use tatau_client::Credentials;
use tatau_server::backup;

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
    /// Copies the data of a server, which may be running, into a folder; a later copy there adds only what is new.
    #[command(after_long_help = "Example:
  tatau admin backup /mnt/backup/tatau --data /var/lib/tatau")]
    Backup {
        /// An empty folder, or one with a backup.
        folder: PathBuf,
    },
    /// Puts a backup into a data folder that holds none yet. Start the server on it then.
    #[command(after_long_help = "Example:
  tatau admin restore /mnt/backup/tatau --data /var/lib/tatau")]
    Restore {
        /// The folder with the backup.
        folder: PathBuf,
    },
}

pub async fn run(options: Admin, context: &Context) -> anyhow::Result<()> {
    match options.verb {
        Verb::AuditBooks { token_file } => audit_books(token_file, context).await,
        Verb::Backup { folder } => {
            copy(context, "copying", move |data, tell| backup::backup(data, &folder, tell)).await
        }
        Verb::Restore { folder } => {
            copy(context, "restoring", move |data, tell| backup::restore(&folder, data, tell)).await
        }
    }
}

/// Copies with progress; what came of it.
async fn copy(
    context: &Context,
    doing: &'static str,
    work: impl FnOnce(&Path, &mut dyn FnMut(u64, u64)) -> Result<backup::Copied, backup::BackupError>
    + Send
    + 'static,
) -> anyhow::Result<()> {
    let (data, json) = (context.data()?, context.json());
    let copied = tokio::task::spawn_blocking(move || {
        let mut meter = Meter::new(doing, "blobs", json);
        let copied = work(&data, &mut |done, total| meter.at(done, total));
        meter.done();
        copied
    });
    let copied = copied.await??;
    if json {
        out::json(&copied);
    } else {
        out::say(&format!(
            "the data as of {} UTC: {} blobs ({}), of which {} were new",
            out::time(copied.at),
            copied.blobs,
            out::bytes(copied.bytes),
            copied.copied
        ));
    }
    if copied.missing > 0 {
        out::say(&format!(
            "note: {} blobs that open jobs need are not there; their buyers have to upload them again",
            copied.missing
        ));
    }
    Ok(())
}

async fn audit_books(token_file: Option<PathBuf>, context: &Context) -> anyhow::Result<()> {
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
