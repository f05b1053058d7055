//! Accounts, money, tokens.

use crate::{Client, ClientError, send::Call};
use reqwest::Method;
use tatau_api::{
    AccountView, MoveStake, Notify, OpenToken, SessionLink, SetNotify, SetPassword, SetTrust, StatementLine,
    Token,
};
use tatau_model::{Address, Amount};

impl Client {
    /// `POST /v1/account`: opens the account of the signing owner key, or shows it.
    pub async fn open_account(&self) -> Result<AccountView, ClientError> {
        self.json(Call::post("/v1/account", &serde_json::json!({}))?).await
    }

    /// `GET /v1/account`.
    pub async fn account(&self) -> Result<AccountView, ClientError> {
        self.json(Call::get("/v1/account")).await
    }

    /// `GET /v1/account/statement`: at most `limit` (1,000) lines of journal entries after number `after`, oldest first.
    pub async fn statement(&self, after: u64, limit: u32) -> Result<Vec<StatementLine>, ClientError> {
        self.json(Call::get(format!("/v1/account/statement?after={after}&limit={limit}"))).await
    }

    /// `POST /v1/account/stake`. Not repeated on its own when the connection is lost.
    pub async fn stake(&self, amount: Amount) -> Result<AccountView, ClientError> {
        self.json(Call::post("/v1/account/stake", &MoveStake { amount })?.once()).await
    }

    /// `GET /v1/account/notify`.
    pub async fn notify(&self) -> Result<Notify, ClientError> {
        self.json(Call::get("/v1/account/notify")).await
    }

    /// `POST /v1/account/notify`.
    pub async fn set_notify(&self, wanted: &SetNotify) -> Result<Notify, ClientError> {
        self.json(Call::post("/v1/account/notify", wanted)?.once()).await
    }

    /// `POST /v1/account/trust`.
    pub async fn set_trust(&self, account: Address, trusted: bool) -> Result<AccountView, ClientError> {
        self.json(Call::post("/v1/account/trust", &SetTrust { account, trusted })?).await
    }

    /// `POST /v1/account/unstake`. Not repeated on its own when the connection is lost.
    pub async fn unstake(&self, amount: Amount) -> Result<AccountView, ClientError> {
        self.json(Call::post("/v1/account/unstake", &MoveStake { amount })?.once()).await
    }

    /// `POST /v1/sessions`: a one-time link that signs a browser in.
    pub async fn open_session(&self) -> Result<SessionLink, ClientError> {
        self.json(Call::post("/v1/sessions", &serde_json::json!({}))?.once()).await
    }

    /// `PUT /v1/account/password`: how the account signs in on the pages.
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), ClientError> {
        let body = SetPassword { name: name.to_owned(), password: password.to_owned() };
        self.nothing(Call::send(Method::PUT, "/v1/account/password", &body)?).await
    }

    /// `POST /v1/tokens`: a new token of the account; it is shown once.
    pub async fn open_token(&self, name: &str) -> Result<Token, ClientError> {
        self.json(Call::post("/v1/tokens", &OpenToken { name: name.to_owned() })?.once()).await
    }
}
