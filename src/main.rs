//! The binary: hands over to the library.

use std::process::ExitCode;

use mcpwrap::cli::{Failure, Run, run};

fn main() -> ExitCode {
    let programs = Run {
        dev: |_| Err(unwired()),
        serve: |_| Err(unwired()),
        check: |_| Err(unwired()),
        demo: |_| Err(unwired()),
        secret: |_| Err(unwired()),
    };
    run(std::env::args_os(), &programs)
}

fn unwired() -> Failure {
    Failure::runtime("not wired yet")
}
