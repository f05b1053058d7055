//! The binary `tatau`: one thing to install, roles as verbs. Wires everything, decides nothing.
//!
//! Data goes to standard output, words and progress to standard error. Exit codes are in [`exit::HELP`].

mod account;
mod account_notify;
mod admin;
mod ask;
mod cancel;
mod config;
mod context;
mod deliver;
mod demo;
mod edit;
mod exit;
mod forget;
mod job;
mod jobs;
mod login;
mod logs;
mod meter;
mod node;
mod open;
mod out;
mod pause;
mod provide;
mod provide_doctor;
mod provide_install;
mod provide_words;
mod quoted;
mod render;
mod resume;
mod serve;
mod shown;
mod stop;
mod submit;
mod submit_program;
mod sync;
mod token;
mod told;
mod validate;
mod wallet;
mod watch;

use clap::{Parser, Subcommand};
use context::{Context, Globals};
use std::process::ExitCode;

/// A supercomputer that owns no computers: render on strangers' machines, checked and paid for by the frame; or lend your own.
#[derive(Debug, Parser)]
#[command(name = "tatau", version, propagate_version = true, after_long_help = exit::HELP, max_term_width = 110)]
struct Arguments {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Renders a scene: inspects it, shows the price, pays, and brings the frames into a folder.
    Render(render::Render),
    /// Submits a bundle folder (Open Job Description, written by `render --bundle`).
    Submit(submit::Submit),
    /// Brings a job's results into a folder; goes on where it was interrupted.
    Sync(sync::Sync),
    /// Renders every scene that is saved into a folder.
    Watch(watch::Watch),
    /// Lists your jobs, newest first.
    Jobs(jobs::Jobs),
    /// Shows one job: frames, money, what happened.
    Job(job::ShowJob),
    /// Prints the log of a task.
    Logs(logs::Logs),
    /// Stops a job; what was accepted stays yours, the rest of the escrow comes back.
    Cancel(cancel::Cancel),
    /// Has the server remove the files of a job that is over, before their time.
    Forget(forget::Forget),
    /// Pauses a job: nothing new starts, what runs is finished.
    Pause(pause::Pause),
    /// Changes what a job may cost, its priority among your jobs, and when you want it.
    Edit(edit::Edit),
    /// Goes on with a paused job, with more money if it needs some; approves a preview.
    Resume(resume::Resume),
    /// Shows balances and statements, puts up stake, makes keys.
    Wallet(wallet::Wallet),
    /// Lends this machine's cards and is paid for what they compute.
    Provide(Box<provide::Provide>),
    /// Audits others' work and is paid for it.
    Validate(validate::Validate),
    /// Runs a platform.
    Serve(serve::Serve),
    /// Remembers which server to use.
    Login(login::Login),
    /// Opens the platform's pages in your browser, signed in.
    Open(open::Open),
    /// Sets name and password for signing in on the platform's pages.
    Account(account::Account),
    /// Makes an API token of your account, for programs.
    Token(token::Token),
    /// The operator's commands.
    Admin(admin::Admin),
    /// Shows it all on this machine: a platform, three providers of whom one cheats, a real animation.
    Demo(demo::Demo),
    /// What runs inside the sandbox.
    #[command(hide = true)]
    Session,
}

fn main() -> ExitCode {
    // The session's runner wants to be alone in its process: before threads, before arguments are looked at closely.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "session") {
        return tatau_sandbox::runner::main();
    }
    exit::catch_panics();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => return exit::misused(&e),
    };
    let json = arguments.globals.json;
    exit::tell(run(arguments), json)
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let context = Context::new(arguments.globals)?;
    // Idle agents should be small: two threads serve all that waits.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(act(arguments.verb, &context));
    // Whatever still reads a file or a terminal does not hold up the end.
    runtime.shutdown_background();
    done
}

async fn act(verb: Verb, context: &Context) -> anyhow::Result<()> {
    match verb {
        Verb::Render(options) => render::run(options, context).await,
        Verb::Submit(options) => submit::run(options, context).await,
        Verb::Sync(options) => sync::run(options, context).await,
        Verb::Watch(options) => watch::run(options, context).await,
        Verb::Jobs(options) => jobs::run(&options, context).await,
        Verb::Job(options) => job::run(&options, context).await,
        Verb::Logs(options) => logs::run(&options, context).await,
        Verb::Cancel(options) => cancel::run(&options, context).await,
        Verb::Forget(options) => forget::run(&options, context).await,
        Verb::Pause(options) => pause::run(&options, context).await,
        Verb::Edit(options) => edit::run(&options, context).await,
        Verb::Resume(options) => resume::run(&options, context).await,
        Verb::Wallet(options) => wallet::run(options, context).await,
        Verb::Provide(options) => provide::run(*options, context).await,
        Verb::Validate(options) => validate::run(options, context).await,
        Verb::Serve(options) => serve::run(options, context).await,
        Verb::Login(options) => login::run(options, context).await,
        Verb::Open(options) => open::run(options, context).await,
        Verb::Account(options) => account::run(options, context).await,
        Verb::Token(options) => token::run(&options, context).await,
        Verb::Admin(options) => admin::run(options, context).await,
        Verb::Demo(options) => demo::run(context, options).await,
        Verb::Session => Ok(()),
    }
}
