//! `GET /v1/account`.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::{AccountView, BalanceLine};
use tatau_model::{Address, Amount};

pub(crate) async fn show(State(app): State<Arc<App>>, call: Call) -> Result<Json<AccountView>, ApiError> {
    let owner = call.account(&app).await?;
    view(&app, owner).await.map(Json)
}

/// The account with its balances.
pub(super) async fn view(app: &App, owner: Address) -> Result<AccountView, ApiError> {
    let account = app.writer.read(move |s| s.account(&owner).cloned()).await?;
    let account = account.ok_or_else(|| ApiError::not_found(format!("{owner} has no account")))?;
    let mut total = Amount::ZERO;
    let mut balances = Vec::new();
    for (key, amount) in app.archive.balances_of(owner).await? {
        total = total.add(amount).map_err(|e| ApiError::internal(&e))?;
        if amount != Amount::ZERO {
            balances.push(BalanceLine { account: key.to_string(), amount });
        }
    }
    Ok(AccountView { account, balances, total })
}
