//! `tatau provide`.

use crate::{
    context::Context,
    exit::Ended,
    node::{self, NodeFlags},
    open, out, provide_doctor, provide_install, provide_words,
};
use serde_json::json;
use std::{net::SocketAddr, path::Path, sync::Arc};
use tatau_agent::{
    Cockpit, ProvideError, ProvideOptions,
    page::{self, Page, PageLink},
    settings::Price,
};
use tatau_client::{Client, Credentials, Patience};
use tatau_model::Amount;
use tatau_worker::{Membership, Recipe, provision};

/// Lends this machine's cards and is paid for what they compute.
///
/// Opens a page in your browser, for this machine alone: one button, what it earns, each card, settings. Tasks run in a sandbox without
/// network and without access to your files. Ctrl-C finishes what runs and gives back the rest; a second one stops at once, and what was
/// finished is delivered at the next start. A server or network that is away is waited for.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "Examples:
  tatau provide                          opens the page; press Start
  tatau provide --headless --slots 4     a rig without a screen: works at once, no page
  tatau provide --ask 0.8                always this price; the page can change it again
  tatau provide install                  starts with the machine from now on (systemd)
  tatau provide page                     opens the page of a provider that runs already
  tatau provide doctor                   what this machine lacks, and how to mend it
  tatau provide --server https://farm.example --join join-…   the line that your fleet page shows
  tatau provide environment blender-5.0  make the environment now (a 900 MB download the first time)"
)]
pub struct Provide {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    how: How,
}

/// Flags of a provider; `install` remembers them.
#[derive(Debug, clap::Args)]
pub struct How {
    #[command(flatten)]
    pub node: NodeFlags,
    /// Price of one hour of a GTX 1080 Ti's worth of work, TATAU; kept as your price until you change it on the page. Without it: as set
    /// before, and at first the market's.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub ask: Option<Amount>,
    /// No page and no button: works at once.
    #[arg(long)]
    pub headless: bool,
    /// Where the page listens, an address of this machine alone; 127.0.0.1:7118 by default, or the next free port.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "headless")]
    pub page: Option<SocketAddr>,
    /// Serves the page and prints its link, but opens no browser.
    #[arg(long, conflicts_with = "headless")]
    pub no_open: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Looks at this machine: what it lacks for running tasks, each with its mend.
    Doctor,
    /// Makes an environment, if it is not there yet.
    Environment {
        /// Such as blender-5.0.
        name: String,
        /// Prints the path of its Python, and nothing else, on standard output.
        #[arg(long)]
        print_python: bool,
    },
    /// Opens the page of the provider with this data folder.
    Page {
        /// Only prints the link.
        #[arg(long)]
        print: bool,
    },
    /// Starts with the machine from now on, as a systemd service of this user; safe to run again.
    Install(Box<provide_install::Install>),
    /// Takes the service away again. Keys, earnings and settings stay.
    Uninstall,
}

pub async fn run(options: Provide, context: &Context) -> anyhow::Result<()> {
    match options.verb {
        Some(Verb::Doctor) => provide_doctor::doctor(context).await,
        Some(Verb::Environment { name, print_python }) => environment(&name, print_python, context).await,
        Some(Verb::Page { print }) => show_page(print, context),
        Some(Verb::Install(install)) => provide_install::install(&install, context),
        Some(Verb::Uninstall) => provide_install::uninstall(context),
        None => work(&options.how, context).await,
    }
}

/// Is this a service of systemd's? Then it stays, whatever fails, and shows why on its page.
fn is_service() -> bool {
    std::env::var_os("INVOCATION_ID").is_some()
}

async fn work(how: &How, context: &Context) -> anyhow::Result<()> {
    if how.ask.is_some_and(|ask| !ask.is_positive()) {
        return Err(Ended::usage("--ask must be more than zero").into());
    }
    node::log("warn", context.json())?;
    let options = ProvideOptions::new(context.server().to_owned(), how.node.options(context)?);
    let folder = options.node.data_dir.clone();
    let membership = Membership::open(&folder, &mut rand::rng())?;
    let client = Client::new(context.server(), Credentials::Key(membership.key.clone()))
        .map_err(|e| Ended::usage(e.to_string()))?
        .with_patience(Patience::NONE);
    let opens = !how.headless && !how.no_open && open::has_desktop();
    // At a desktop the person presses Start on the page; nobody can where there is none.
    let cockpit = Cockpit::open(&folder, &context.cache()?, !opens)?;
    remember(how, &cockpit)?;
    if how.headless {
        cockpit.begin();
    }
    let page =
        if how.headless { None } else { Some(serve_page(how, opens, &cockpit, &folder, context).await?) };
    let stays = page.is_some() && (opens || is_service());
    let ended = provide(&cockpit, client, membership, options, stays, context).await;
    if let Some(page) = page {
        page.abort();
    }
    ended
}

/// What flags say is the setting from now on.
fn remember(how: &How, cockpit: &Cockpit) -> anyhow::Result<()> {
    let (ask, cache_gib) = (how.ask, how.node.cache_gib);
    if ask.is_some() || cache_gib.is_some() {
        cockpit.change(|settings| {
            settings.price = ask.map_or(settings.price, Price::Fixed);
            settings.cache_gib = cache_gib.unwrap_or(settings.cache_gib);
        })?;
    }
    Ok(())
}

async fn serve_page(
    how: &How,
    opens: bool,
    cockpit: &Arc<Cockpit>,
    folder: &Path,
    context: &Context,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let page = Page::bind(Arc::clone(cockpit), folder, context.server(), how.page).await;
    let page = page.map_err(|e| match e {
        page::PageError::NotLoopback(_) => anyhow::Error::from(Ended::usage(e.to_string())),
        other => other.into(),
    })?;
    let link = page.link.clone();
    let serving = tokio::spawn(page.serve());
    if context.json() {
        out::json(&json!({"event": "page", "url": link}));
    } else {
        out::say(&format!("your page, for this machine alone: {link}"));
    }
    if opens {
        let opened = open::browse(&link);
        if !opened {
            out::say("no browser could be started; open the link yourself");
        }
    }
    Ok(serving)
}

async fn provide(
    cockpit: &Arc<Cockpit>,
    client: Client,
    membership: Membership,
    mut options: ProvideOptions,
    stays: bool,
    context: &Context,
) -> anyhow::Result<()> {
    let json = context.json();
    options.on = Arc::new(move |event| provide_words::tell(&event, json));
    if !json {
        if cockpit.wants_work() {
            out::say(&format!("providing to {}", context.server()));
        } else {
            out::say("it does not work yet: press Start on the page (or start it with --headless)");
        }
    }
    match cockpit.run(client, membership, options, stays, node::stop_signal()?).await {
        Err(ProvideError::Node(error)) if node::unless_stopped(&error) => Ok(()),
        other => Ok(other?),
    }
}

/// `tatau provide page`.
fn show_page(print: bool, context: &Context) -> anyhow::Result<()> {
    let folder = context.data()?.join("node");
    let Some(PageLink { link, .. }) = PageLink::read(&folder)? else {
        return Err(Ended::usage("no provider with this data folder ever had a page")
            .hint("start one with `tatau provide`, or name its folder with --data")
            .into());
    };
    if context.json() {
        out::json(&json!({ "url": link }));
    } else {
        out::line(&link);
    }
    if !print && !context.json() && open::browse(&link) {
        out::say("opened in your browser");
    }
    Ok(())
}

async fn environment(name: &str, print_python: bool, context: &Context) -> anyhow::Result<()> {
    let recipe = Recipe::by_name(name).map_err(|e| Ended::usage(e.to_string()))?;
    let json = context.json();
    let mut last = String::new();
    let mut on = |stage| {
        let text = node::stage(name, &stage);
        if json {
            out::json(&node::stage_json(name, &stage));
        } else if text != last {
            out::say(&text);
        }
        last = text;
    };
    let folder = provision(&context.cache()?, &recipe, &mut on).await?;
    if print_python {
        out::line(&node::python(&folder).display().to_string());
    } else if json {
        out::json(
            &json!({"event": "environment", "name": name, "folder": folder, "python": node::python(&folder)}),
        );
    }
    Ok(())
}
