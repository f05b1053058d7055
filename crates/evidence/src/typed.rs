//! EIP-712 typed data: the same bytes are signed off and on chain.

use crate::hash::keccak;
use crate::key::SigningKey;
use crate::merkle::manifest_root;
use crate::signature::{Signature, SignatureError, verify};
use alloy_primitives::{B256, U256};
use alloy_sol_types::{Eip712Domain, SolStruct};
use tatau_model::{Address, AttemptId, AuditId, Digest, JobId, Millis, OutputFile, Receipt, TaskId};

#[allow(missing_docs, clippy::pedantic)]
mod sol {
    alloy_sol_types::sol! {
        struct Receipt {
            uint64 attempt;
            uint64 task;
            uint64 job;
            address node;
            bytes32 manifestRoot;
            bytes32 traceRoot;
            uint64 units;
            uint64 claimedMs;
            uint64 energyJ;
        }
        struct Delegation { address owner; address node; uint64 expires; }
        struct AuditCommitment { uint64 audit; address node; bytes32 filesRoot; }
        struct Request {
            string server;
            string method;
            string path;
            bytes32 body;
            uint64 timestamp;
            bytes32 nonce;
            address onBehalf;
        }
    }
}

/// Where signatures count: name `Tatau`, version `1`, a chain and the contract that checks there.
///
/// The default is the platform without a chain: chain id 0, contract zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    inner: Eip712Domain,
    separator: B256,
}

impl Default for Domain {
    fn default() -> Self {
        Self::on_chain(0, Address([0; 20]))
    }
}

impl Domain {
    /// The domain of `contract` on the chain with this id.
    pub fn on_chain(chain_id: u64, contract: Address) -> Self {
        let inner = Eip712Domain::new(
            Some("Tatau".into()),
            Some("1".into()),
            Some(U256::from(chain_id)),
            Some(contract.0.into()),
            None,
        );
        let separator = inner.separator();
        Self { inner, separator }
    }

    /// The domain separator of EIP-712.
    pub fn separator(&self) -> Digest {
        Digest(self.separator.0)
    }

    /// The digest that is signed: `keccak(0x19 0x01 ‖ separator ‖ hashStruct)`.
    fn digest(&self, data: &impl SolStruct) -> Digest {
        let mut bytes = [0; 66];
        bytes[..2].copy_from_slice(&[0x19, 0x01]);
        bytes[2..34].copy_from_slice(&self.separator.0);
        bytes[34..].copy_from_slice(&data.eip712_hash_struct().0);
        keccak(bytes)
    }
}

/// The digest of a receipt, bound to its lease and to the node that claims it.
pub fn receipt_digest(
    domain: &Domain,
    attempt: AttemptId,
    task: TaskId,
    job: JobId,
    node: Address,
    receipt: &Receipt,
) -> Digest {
    domain.digest(&sol::Receipt {
        attempt: attempt.0,
        task: task.0,
        job: job.0,
        node: node.0.into(),
        manifestRoot: receipt.manifest_root.0.into(),
        traceRoot: receipt.trace_root.0.into(),
        units: receipt.units,
        claimedMs: receipt.claimed_ms,
        energyJ: receipt.energy_j,
    })
}

/// Fills `receipt.signature` with the signature of the node that holds `key`.
pub fn sign_receipt(
    domain: &Domain,
    key: &SigningKey,
    attempt: AttemptId,
    task: TaskId,
    job: JobId,
    receipt: &mut Receipt,
) {
    let digest = receipt_digest(domain, attempt, task, job, key.address(), receipt);
    receipt.signature = key.sign(&digest).to_string();
}

/// Did `node` sign this receipt for this lease?
pub fn check_receipt(
    domain: &Domain,
    attempt: AttemptId,
    task: TaskId,
    job: JobId,
    node: Address,
    receipt: &Receipt,
) -> Result<(), SignatureError> {
    let signature: Signature = receipt.signature.parse()?;
    verify(&receipt_digest(domain, attempt, task, job, node, receipt), &signature, node)
}

/// An owner lets a node's hot key act for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delegation {
    /// The owner, who signs.
    pub owner: Address,
    /// The node whose key may act.
    pub node: Address,
    /// The delegation counts before this moment.
    pub expires: Millis,
}

impl Delegation {
    /// What the owner signs.
    pub fn digest(&self, domain: &Domain) -> Digest {
        domain.digest(&sol::Delegation {
            owner: self.owner.0.into(),
            node: self.node.0.into(),
            expires: self.expires.0.cast_unsigned(),
        })
    }
    /// Signs with the owner's key.
    pub fn sign(&self, domain: &Domain, owner: &SigningKey) -> Signature {
        owner.sign(&self.digest(domain))
    }
    /// Did the owner sign this? (Whether it has expired is a separate question: [`Self::counts_at`].)
    pub fn check(&self, domain: &Domain, signature: &Signature) -> Result<(), SignatureError> {
        verify(&self.digest(domain), signature, self.owner)
    }
    /// Not expired at `now`?
    pub fn counts_at(&self, now: Millis) -> bool {
        now < self.expires
    }
}

/// A validator binds itself to what it re-computed before it learns the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCommitment {
    /// Which audit.
    pub audit: AuditId,
    /// The validating node, which signs.
    pub node: Address,
    /// [`manifest_root`] of the files that will be revealed.
    pub files_root: Digest,
}

impl AuditCommitment {
    /// The commitment to `files`.
    pub fn to_files(audit: AuditId, node: Address, files: &[OutputFile]) -> Self {
        Self { audit, node, files_root: manifest_root(files) }
    }
    /// What the validator signs.
    pub fn digest(&self, domain: &Domain) -> Digest {
        domain.digest(&sol::AuditCommitment {
            audit: self.audit.0,
            node: self.node.0.into(),
            filesRoot: self.files_root.0.into(),
        })
    }
    /// Signs with the validating node's key.
    pub fn sign(&self, domain: &Domain, node: &SigningKey) -> Signature {
        node.sign(&self.digest(domain))
    }
    /// Did the validating node sign this?
    pub fn check(&self, domain: &Domain, signature: &Signature) -> Result<(), SignatureError> {
        verify(&self.digest(domain), signature, self.node)
    }
}

/// One HTTP request, as it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestClaim<'a> {
    /// Scheme, host and port of the server that is asked, as it was dialled.
    pub server: &'a str,
    /// Upper-case method.
    pub method: &'a str,
    /// Path and query exactly as sent.
    pub path: &'a str,
    /// BLAKE3 of the body (of nothing, where there is none).
    pub body: Digest,
    /// The signer's clock.
    pub timestamp: Millis,
    /// Fresh for every request.
    pub nonce: Digest,
    /// The account that the signer acts for; zero where it acts for itself.
    pub on_behalf: Address,
}

impl RequestClaim<'_> {
    /// What the sender signs.
    pub fn digest(&self, domain: &Domain) -> Digest {
        domain.digest(&sol::Request {
            server: self.server.into(),
            method: self.method.into(),
            path: self.path.into(),
            body: self.body.0.into(),
            timestamp: self.timestamp.0.cast_unsigned(),
            nonce: self.nonce.0.into(),
            onBehalf: self.on_behalf.0.into(),
        })
    }
}
