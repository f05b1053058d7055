//! What surrounds every page: links, who is signed in, a word from the last action.

/// Fields that `layout.html` wants; a page's template holds one as `frame`.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Links of the head, in order.
    pub links: Vec<Link>,
    /// Who is signed in.
    pub who: Option<Who>,
    /// Where "Sign in" leads; none where nobody needs to.
    pub sign_in: Option<&'static str>,
    /// Sent back with every changing request; empty where nobody is signed in.
    pub csrf: String,
    /// Said once, at the top.
    pub notice: Option<Notice>,
}

/// One link of the head.
#[derive(Debug, Clone)]
pub struct Link {
    /// Address.
    pub href: &'static str,
    /// Text.
    pub text: &'static str,
    /// This page belongs to it.
    pub current: bool,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub struct Who {
    /// Name or short address.
    pub name: String,
    /// What can be spent, as text; empty where it is not known.
    pub balance: String,
    /// Where the account lies.
    pub href: &'static str,
}

/// How a word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Good,
    /// Something to know.
    Plain,
    /// It did not work.
    Bad,
}

impl Tone {
    /// Name of its class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Bad => "bad",
        }
    }
}

/// One sentence.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What is said.
    pub text: String,
}
