//! Calls that are open to everyone, and the operator's.

use crate::{Client, ClientError, send::Call};
use tatau_api::{Books, Platform};
use tatau_model::{Digest, Epoch, EpochId};

impl Client {
    /// `GET /healthz`: the server answers.
    pub async fn healthz(&self) -> Result<(), ClientError> {
        self.nothing(Call::get("/healthz")).await
    }

    /// `GET /v1/platform`: what the platform says of itself.
    pub async fn platform(&self) -> Result<Platform, ClientError> {
        self.json(Call::get("/v1/platform")).await
    }

    /// `GET /v1/epochs?after=N`: closed epochs after number `after`, oldest first (a page).
    pub async fn epochs(&self, after: EpochId) -> Result<Vec<Epoch>, ClientError> {
        self.json(Call::get(format!("/v1/epochs?after={}", after.0))).await
    }

    /// `GET /v1/epochs/{n}/receipts`: digests of its receipts in log order.
    pub async fn epoch_receipts(&self, epoch: EpochId) -> Result<Vec<Digest>, ClientError> {
        self.json(Call::get(format!("/v1/epochs/{epoch}/receipts"))).await
    }

    /// `GET /v1/admin/books`: recomputes every balance from the journal. Needs `Credentials::Token` of the operator.
    pub async fn admin_books(&self) -> Result<Books, ClientError> {
        self.json(Call::get("/v1/admin/books")).await
    }
}
