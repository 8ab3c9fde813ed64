//! The binary: hands over to the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Returns to the system what was needed under load; the system's own allocator keeps most of it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // The stages of a child come before everything else: they must stay small and single-threaded.
    if let Some(code) = mcpwrap::process::stage_main(std::env::args_os()) {
        return code;
    }
    if let Some(code) = mcpwrap::demo::example_main(std::env::args_os()) {
        return code;
    }
    mcpwrap::cli::run(std::env::args_os(), &mcpwrap::cli::programs())
}
