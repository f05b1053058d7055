//! Wire types of the HTTP API: what goes over the connection, nothing else.
//!
//! Money is nano-TATAU as integers, times are milliseconds since 1970 UTC, identifiers are text as in `model`.

pub mod account;
pub mod document;
pub mod earnings;
pub mod error;
pub mod job;
pub mod node;
pub mod order;
pub mod platform;

pub use account::{
    AccountView, BalanceLine, Books, MoveStake, Notify, OpenToken, SessionLink, SetNotify, SetPassword,
    SetTrust, StatementLine, Token,
};
pub use document::{CALLS, CallText, Right, document};
pub use earnings::{CardEarnings, EarnIn, Earned, Earnings, Spans, Totals};
pub use error::ErrorBody;
pub use job::{
    EditJob, JobView, ProgramTerms, Quote, QuoteRequest, QuoteRow, ResumeJob, SubmitJob, TaskView,
    TasksQuoteRequest,
};
pub use node::{
    AuditCommit, AuditReveal, Delivered, Drain, FailReport, Poll, PollAnswer, ReceiptCommit, RegisterNode,
    SetOffer,
};
pub use order::{AuditOrder, Lease, Order, OrderFile, SessionOrder};
pub use platform::{
    BYTES_HEADER, GrantRequest, Granted, PACKED, PACKED_HEADER, PROTOCOL, PROTOCOL_HEADER, Platform,
    UploadState,
};
