//! Accounts, statements, tokens.

use serde::{Deserialize, Serialize};
use tatau_model::{Account, Address, Amount, Millis};

/// One balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BalanceLine {
    /// Ledger account, such as `0x…/available`.
    pub account: String,
    /// Nano-TATAU.
    #[schema(value_type = i64)]
    pub amount: Amount,
}

/// `GET /v1/account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccountView {
    /// Record.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub account: Account,
    /// Every balance that is not zero.
    pub balances: Vec<BalanceLine>,
    /// Their sum.
    #[schema(value_type = i64)]
    pub total: Amount,
}

/// One line of `GET /v1/account/statement?after=ENTRY&limit=N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatementLine {
    /// Journal entry.
    pub entry: u64,
    /// When.
    #[schema(value_type = i64)]
    pub at: Millis,
    /// Why, for programs.
    pub why: String,
    /// Why, for people: names the job, frame, attempt or audit.
    pub text: String,
    /// Ledger account.
    pub account: String,
    /// Gain or loss.
    #[schema(value_type = i64)]
    pub amount: Amount,
    /// Balance of that account after it.
    #[schema(value_type = i64)]
    pub balance: Amount,
}

/// `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OpenToken {
    /// A name for people.
    pub name: String,
}

/// A new API token; shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    /// `tatau_…`; sent as `Authorization: Bearer …`.
    pub token: String,
    /// Its name.
    pub name: String,
}

/// `PUT /v1/account/password`: how the account signs in on the pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SetPassword {
    /// Name for signing in: letters a to z, digits, - and _; at least 3.
    pub name: String,
    /// At least 10 characters.
    pub password: String,
}

/// `POST /v1/sessions`: where a browser is signed in by opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionLink {
    /// Path on this server; counts once, for ten minutes.
    pub path: String,
}

/// `POST /v1/account/trust`: marks an account as trusted with this owner's scenes, or takes that back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SetTrust {
    /// Whose machines.
    #[schema(value_type = String)]
    pub account: Address,
    /// Trusted, or not any more.
    pub trusted: bool,
}

/// `GET /v1/account/notify`: where the account is told that a render job is finished, paused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notify {
    /// Is called by `POST` with JSON.
    pub webhook: Option<String>,
    /// Calls carry `Tatau-Signature: t=MS,v1=HEX`: HMAC-SHA-256 over `MS.BODY` under this text.
    pub secret: Option<String>,
    /// Is written to, once confirmed.
    pub mail: Option<String>,
    /// The code that was sent there came back.
    pub mail_confirmed: bool,
    /// This server sends mail.
    pub mail_possible: bool,
}

/// `POST /v1/account/notify`; what is absent stays, an empty text removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SetNotify {
    /// URL to call.
    pub webhook: Option<String>,
    /// Mail address; a code is sent there.
    pub mail: Option<String>,
    /// The code of that mail.
    pub code: Option<String>,
    /// Calls the URL now, with a test.
    #[serde(default)]
    pub test: bool,
}

/// `POST /v1/account/stake` and `POST /v1/account/unstake`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MoveStake {
    /// How much, nano-TATAU; more than nothing.
    #[schema(value_type = i64)]
    pub amount: Amount,
}

/// `GET /v1/admin/books`: everything recomputed from the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Books {
    /// No problem was found.
    pub balanced: bool,
    /// Sum over all accounts, the outside included; 0 in sound books.
    #[schema(value_type = i64)]
    pub sum: Amount,
    /// Journal entries read.
    pub entries: u64,
    /// Every account whose balance is not zero.
    pub accounts: Vec<BalanceLine>,
    /// One sentence each.
    pub problems: Vec<String>,
}
