//! The OpenAPI document: every call in one table, its bodies from the wire types.

use crate::{
    AccountView, AuditCommit, AuditOrder, AuditReveal, BalanceLine, Books, CardEarnings, Delivered, Drain,
    EarnIn, Earned, Earnings, EditJob, ErrorBody, FailReport, GrantRequest, Granted, JobView, Lease,
    MoveStake, Notify, OpenToken, Platform, Poll, PollAnswer, ProgramTerms, Quote, QuoteRequest, QuoteRow,
    ReceiptCommit, RegisterNode, ResumeJob, SessionLink, SetNotify, SetOffer, SetPassword, SetTrust, Spans,
    StatementLine, SubmitJob, TaskView, TasksQuoteRequest, Token, Totals, UploadState,
};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Everyone.
    Open,
    /// A signature by an account's owner key, or a token of it.
    Account,
    /// A signature by the owner key itself.
    Owner,
    /// A signature by a registered node's key.
    Node,
    /// An account or a node.
    Member,
    /// The operator's token.
    Operator,
    /// Whoever holds the granted address.
    Grant,
}

impl Right {
    fn text(self) -> &'static str {
        match self {
            Self::Open => "open to everyone",
            Self::Account => "an account: signed by its owner key, or with a token",
            Self::Owner => "signed by the owner key itself",
            Self::Node => "signed by a node's key",
            Self::Member => "an account or a node",
            Self::Operator => "the operator's token",
            Self::Grant => "whoever holds the granted address",
        }
    }

    fn security(self) -> Value {
        match self {
            Self::Open | Self::Grant => json!([]),
            Self::Owner | Self::Node => json!([{"signature": []}]),
            Self::Operator => json!([{"bearer": []}]),
            Self::Account | Self::Member => json!([{"signature": []}, {"bearer": []}]),
        }
    }
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct CallText {
    /// Lower case.
    pub method: &'static str,
    /// With `{…}` for what varies.
    pub path: &'static str,
    /// Who may.
    pub right: Right,
    /// What it does.
    pub summary: &'static str,
    /// Names of query parameters.
    pub query: &'static [&'static str],
    /// Schema of the JSON body; empty where there is none.
    pub takes: &'static str,
    /// Schema of the JSON answer (`[…]`: a list); empty where it is no JSON type of ours.
    pub gives: &'static str,
}

#[allow(clippy::too_many_arguments)]
const fn call(
    method: &'static str,
    path: &'static str,
    right: Right,
    summary: &'static str,
    query: &'static [&'static str],
    takes: &'static str,
    gives: &'static str,
) -> CallText {
    CallText { method, path, right, summary, query, takes, gives }
}

/// Every call there is.
#[rustfmt::skip]
pub const CALLS: &[CallText] = &[
    call("get", "/healthz", Right::Open, "The server answers.", &[], "", ""),
    call("get", "/openapi.json", Right::Open, "This document.", &[], "", ""),
    call("get", "/v1/platform", Right::Open, "What the platform says of itself.", &[], "", "Platform"),
    call("post", "/v1/account", Right::Owner, "Opens the account of the signing key, or shows it.", &[], "", "AccountView"),
    call("get", "/v1/account", Right::Account, "The account with its balances.", &[], "", "AccountView"),
    call("get", "/v1/account/statement", Right::Account, "Journal lines after an entry, oldest first.", &["after", "limit"], "", "[StatementLine]"),
    call("post", "/v1/account/stake", Right::Account, "Puts up stake.", &[], "MoveStake", "AccountView"),
    call("get", "/v1/account/notify", Right::Account, "Where the account is told of its jobs.", &[], "", "Notify"),
    call("post", "/v1/account/notify", Right::Account, "Sets where the account is told of its jobs: an address to call, mail.", &[], "SetNotify", "Notify"),
    call("post", "/v1/account/trust", Right::Account, "Marks an account as trusted with scenes, or takes that back.", &[], "SetTrust", "AccountView"),
    call("post", "/v1/account/unstake", Right::Account, "Starts stake on its way out.", &[], "MoveStake", "AccountView"),
    call("put", "/v1/account/password", Right::Owner, "Sets name and password for signing in on the pages; signs out all browsers.", &[], "SetPassword", ""),
    call("post", "/v1/tokens", Right::Owner, "A new token, shown once.", &[], "OpenToken", "Token"),
    call("post", "/v1/sessions", Right::Account, "A one-time link that signs a browser in; with the operator's token to the operator's page.", &[], "", "SessionLink"),
    call("get", "/v1/uploads/{blob}", Right::Member, "How much of an upload is here; asking takes no place.", &["bytes"], "", "UploadState"),
    call("put", "/v1/uploads/{blob}", Right::Member, "One chunk of at most 8 MiB as the raw body; with `tatau-packed: deflate` as a zlib stream. Several may be under way at once.", &["bytes", "offset"], "", "UploadState"),
    call("post", "/v1/grants", Right::Member, "Addresses for blobs of one's job, lease or audit.", &[], "GrantRequest", "Granted"),
    call("get", "/v1/blobs/{blob}", Right::Grant, "Bytes; Range is understood.", &["op", "bytes", "expires", "mac"], "", ""),
    call("post", "/v1/jobs", Right::Account, "Submits an inspection, a render job, or a bundle of another program.", &[], "SubmitJob", "JobView"),
    call("get", "/v1/jobs", Right::Account, "The account's jobs, newest first.", &["limit"], "", ""),
    call("get", "/v1/jobs/{id}", Right::Account, "The job and its changed tasks; waits for a change.", &["after", "wait_ms"], "", "JobView"),
    call("get", "/v1/jobs/{id}/tasks/{task}/log", Right::Account, "Log of the task's latest attempt, plain text.", &[], "", ""),
    call("post", "/v1/jobs/{id}/cancel", Right::Account, "Stops the job; accepted work stays.", &[], "", "JobView"),
    call("post", "/v1/jobs/{id}/pause", Right::Account, "Pauses a render job: nothing new starts, what runs is finished.", &[], "", "JobView"),
    call("post", "/v1/jobs/{id}/edit", Right::Account, "Changes what a job may cost, its priority among its owner's jobs, and when it is wanted.", &[], "EditJob", "JobView"),
    call("post", "/v1/jobs/{id}/forget", Right::Account, "Has the files of a job that is over removed before their time.", &[], "", "JobView"),
    call("post", "/v1/jobs/{id}/resume", Right::Account, "Resumes a paused job, with more money if given; approves a preview that is ready.", &[], "ResumeJob", "JobView"),
    call("post", "/v1/quotes", Right::Account, "Price and time by card class and strategy.", &[], "QuoteRequest", "Quote"),
    call("post", "/v1/quotes/tasks", Right::Account, "The same for tasks of a bundle of another program.", &[], "TasksQuoteRequest", "Quote"),
    call("post", "/v1/nodes", Right::Node, "Registers the node, or registers it again.", &[], "RegisterNode", ""),
    call("get", "/v1/nodes/me", Right::Node, "The node.", &[], "", ""),
    call("get", "/v1/nodes/me/earnings", Right::Node, "What the node's cards and its account earned; day and month by the caller's clock.", &["utc_offset_minutes"], "", "Earnings"),
    call("put", "/v1/nodes/me/offer", Right::Node, "Changes what it asks and offers.", &[], "SetOffer", ""),
    call("post", "/v1/nodes/me/drain", Right::Node, "Stops or starts taking leases.", &[], "Drain", ""),
    call("post", "/v1/nodes/me/poll", Right::Node, "Heartbeat and request for work; waits for some.", &[], "Poll", "PollAnswer"),
    call("post", "/v1/receipts", Right::Node, "Signed receipts, at most 1,000; one answer each.", &[], "[ReceiptCommit]", "[ErrorBody]"),
    call("post", "/v1/attempts/{id}/delivered", Right::Node, "The receipt's files were uploaded.", &[], "Delivered", ""),
    call("post", "/v1/attempts/{id}/failed", Right::Node, "Gives a lease up.", &[], "FailReport", ""),
    call("post", "/v1/audits/{id}/commit", Right::Node, "A validator binds itself to what it got.", &[], "AuditCommit", ""),
    call("post", "/v1/audits/{id}/reveal", Right::Node, "The committed files were uploaded.", &[], "AuditReveal", ""),
    call("post", "/v1/audits/{id}/failed", Right::Node, "Gives an audit up.", &[], "FailReport", ""),
    call("get", "/v1/epochs", Right::Open, "Closed epochs, oldest first.", &["after"], "", ""),
    call("get", "/v1/epochs/{id}/receipts", Right::Open, "Digests of an epoch's receipts in log order.", &[], "", ""),
    call("get", "/metrics", Right::Operator, "The server in numbers, Prometheus text format; open to this machine.", &[], "", ""),
    call("get", "/v1/admin/books", Right::Operator, "Every balance recomputed from the journal.", &[], "", "Books"),
];

#[derive(OpenApi)]
#[openapi(components(schemas(
    AccountView,
    AuditCommit,
    AuditOrder,
    AuditReveal,
    BalanceLine,
    Books,
    CardEarnings,
    Delivered,
    Drain,
    EarnIn,
    Earned,
    Earnings,
    ErrorBody,
    FailReport,
    GrantRequest,
    Granted,
    JobView,
    Lease,
    EditJob,
    MoveStake,
    SetTrust,
    SetNotify,
    Notify,
    OpenToken,
    Platform,
    Poll,
    PollAnswer,
    Quote,
    QuoteRequest,
    QuoteRow,
    ReceiptCommit,
    RegisterNode,
    ResumeJob,
    SessionLink,
    SetOffer,
    SetPassword,
    Spans,
    StatementLine,
    SubmitJob,
    TaskView,
    TasksQuoteRequest,
    ProgramTerms,
    Token,
    Totals,
    UploadState
)))]
struct Schemas;

/// The whole document for the server's version.
pub fn document(version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for call in CALLS {
        let entry = paths.entry(call.path).or_insert_with(|| json!({}));
        entry[call.method] = operation(call);
    }
    let schemas = serde_json::to_value(Schemas::openapi()).unwrap_or_default();
    let schemas = schemas.pointer("/components/schemas").cloned().unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tatau",
            "version": version,
            "description": "Money is whole nano-TATAU, times are milliseconds since 1970 UTC. Every answer that is not 2xx is an ErrorBody.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "signature": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`Tatau <address> <timestamp_ms> <nonce> <server> <signature>`: EIP-712 over server (scheme, host and port as dialled), method, path with query, BLAKE3 of the body, time and nonce.",
                },
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    })
}

fn operation(call: &CallText) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for part in call.path.split('/') {
        if let Some(name) = part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            parameters
                .push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
        }
    }
    for name in call.query {
        parameters.push(json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    }
    let mut operation = json!({
        "summary": call.summary,
        "description": format!("Who may: {}.", call.right.text()),
        "security": call.right.security(),
        "parameters": parameters,
        "responses": {
            "200": {"description": "done"},
            "default": {"description": "refused", "content": content("ErrorBody")},
        },
    });
    if !call.takes.is_empty() {
        operation["requestBody"] = json!({"required": true, "content": content(call.takes)});
    }
    if !call.gives.is_empty() {
        operation["responses"]["200"]["content"] = content(call.gives);
    }
    operation
}

fn content(schema: &str) -> Value {
    let one = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let schema = match schema.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
        Some(item) => json!({"type": "array", "items": one(item)}),
        None => one(schema),
    };
    json!({"application/json": {"schema": schema}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document = document("1");
        let text = document.to_string();
        let mut found = 0;
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name} is referred to, but not there"
            );
            found += 1;
        }
        assert!(found > 40, "{found}");
    }
}
