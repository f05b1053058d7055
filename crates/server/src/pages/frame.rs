//! The frame around each page: links that fit who looks, their name, what they can spend.

use crate::{app::App, error::ApiError, session::Session, words};
use tatau_model::{AccountKey, Amount, Purpose};
use tatau_ui::{Frame, Link, Who};

/// Parts of the site, as the head's links name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Market,
    Jobs,
    Fleet,
    Account,
    Operator,
    Elsewhere,
}

/// The frame for whoever looks.
pub(crate) async fn frame(app: &App, session: Option<&Session>, area: Area) -> Result<Frame, ApiError> {
    let Some(session) = session else {
        return Ok(Frame { links: links(Some(area), false), sign_in: Some("/sign-in"), ..Frame::default() });
    };
    let who = match session.owner {
        Some(owner) => {
            let balances = app.archive.balances_of(owner).await?;
            let available = AccountKey::Owner(owner, Purpose::Available);
            let free =
                balances.into_iter().find(|(key, _)| *key == available).map_or(Amount::ZERO, |(_, a)| a);
            let name = app.archive.password_of(owner).await?.map(|password| password.name);
            let name = name.unwrap_or_else(|| words::short(&owner));
            Who { name, balance: tatau_ui::words::money(free), href: "/account" }
        }
        None => Who { name: "Operator".into(), balance: String::new(), href: "/operator" },
    };
    Ok(Frame {
        links: if session.owner.is_some() { links(Some(area), true) } else { operator_links(area) },
        who: Some(who),
        csrf: session.csrf.clone(),
        ..Frame::default()
    })
}

pub(super) fn links(area: Option<Area>, member: bool) -> Vec<Link> {
    let link = |href, text, of| Link { href, text, current: area == Some(of) };
    let market = link("/market", "Market", Area::Market);
    if !member {
        return vec![market];
    }
    vec![link("/jobs", "My jobs", Area::Jobs), link("/fleet", "My machines", Area::Fleet), market]
}

fn operator_links(area: Area) -> Vec<Link> {
    vec![
        Link { href: "/operator", text: "Operator", current: area == Area::Operator },
        Link { href: "/market", text: "Market", current: area == Area::Market },
    ]
}
