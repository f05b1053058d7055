//! The buyer's side: from a scene on a disk to frames in a folder.
//!
//! Owns: closing the set of files that a scene needs, uploading it, quotes and the choice among them, submitting a job once and
//! only once, bundle folders, and following a job so that its verified results appear in a folder.
//! Refuses: to open scenes (inspection is a sandboxed task), to upload what lies out of the scene's reach, to write outside the
//! folder it was given, and to talk to people (whoever calls gives a [`Watch`]).

mod assets;
mod bundle;
mod close;
mod error;
mod frames;
mod inspect;
mod pay;
mod program;
mod progress;
mod quote;
mod scene;
mod spelling;
mod sync;
mod target;
mod upload;

pub use assets::{AssetSet, Lack, MAX_UP, Wanted};
pub use bundle::{BundleFolder, read_bundle, write_bundle};
pub use close::{Closed, MAX_ROUNDS, close};
pub use error::{Kind, Missing, SubmitError};
pub use frames::{check as check_frames, count as count_frames};
pub use pay::{Order, pay, request_key};
pub use program::{
    Program, ProgramOrder, is_render_bundle, pay_program, quote_program, read_program, send_program,
};
pub use progress::{Event, Quiet, Watch};
pub use quote::{Asked, Choice, best, choose, quote};
pub use scene::Scene;
pub use sync::{Synced, follow, sync};
pub use target::{SavedFile, Target, TargetState, make_folder};
pub use tatau_workload::tiles::Wish as Tiles;
pub use upload::Sent;
