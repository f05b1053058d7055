//! The session runner alone, for this crate's tests; the product calls the same function as a verb of `tatau`.

fn main() -> std::process::ExitCode {
    tatau_worker::session_main()
}
