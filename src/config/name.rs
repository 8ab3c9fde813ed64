//! What the server is called in client settings: told by the operator, or guessed from the command.

use std::ffi::OsString;
use std::path::Path;

use crate::process::resolve;

/// What a server is called whose command says nothing.
const FALLBACK: &str = "mcpwrap";
const LONGEST: usize = 48;

/// Programs that run another one, which then gives the name.
const LAUNCHERS: &[&str] = &[
    "npx", "bunx", "pnpm", "yarn", "npm", "uvx", "uv", "pipx", "python", "python3", "node", "deno",
    "bun", "go", "cargo", "docker", "podman", "java", "sh", "bash", "env", "dlx", "exec", "run",
    "x", "tool",
];

/// The name that is written into client settings: letters, digits, `-` and `_`, because some clients refuse others.
pub(super) fn from_command(argv: &[OsString]) -> String {
    if let Some(name) = resolve::installed_name(argv).map(|name| basename(&name))
        && !name.is_empty()
    {
        return name;
    }
    let words = argv.iter().filter_map(|word| word.to_str());
    let telling = words
        .filter(|word| !word.starts_with('-'))
        .map(basename)
        .find(|word| !word.is_empty() && !LAUNCHERS.contains(&word.as_str()));
    telling.unwrap_or_else(|| FALLBACK.to_owned())
}

/// Any text as a name that every client accepts.
pub(super) fn plain(text: &str) -> Option<String> {
    let mut name = String::new();
    for letter in text.chars().take(LONGEST) {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            name.push(letter);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

fn basename(word: &str) -> String {
    // `@scope/server@1.2` is a package with its version, `image:tag` an image with its tag.
    let last = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let last = last.split(['@', ':']).next().unwrap_or(last);
    let path = Path::new(last);
    let program = matches!(
        path.extension().and_then(|end| end.to_str()),
        Some("js" | "mjs" | "cjs" | "ts" | "py" | "sh" | "exe" | "cmd" | "jar")
    );
    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| program);
    plain(stem.unwrap_or(last)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_gives_the_name() {
        for (command, name) in [
            ("npx -y @modelcontextprotocol/server-everything", "server-everything"),
            ("npx -y @modelcontextprotocol/server-everything@2025.1.1 stdio", "server-everything"),
            ("uvx mcp-server-git --repository .", "mcp-server-git"),
            ("uvx --with mcp<2 mcp-server-sqlite", "mcp-server-sqlite"),
            ("uvx --python 3.12 tool@latest", "tool"),
            ("uvx --from git+https://git.test/a.git my-tool --port 1", "my-tool"),
            ("npx --registry http://127.0.0.1:4873 my-srv", "my-srv"),
            ("npm exec --loglevel silent -- @scope/srv@1.2 -x", "srv"),
            ("/usr/local/bin/github-mcp-server stdio", "github-mcp-server"),
            ("python3 ./tools/weather_server.py", "weather_server"),
            ("node", "mcpwrap"),
            ("sh -c", "mcpwrap"),
        ] {
            let argv: Vec<OsString> = command.split(' ').map(Into::into).collect();
            assert_eq!(from_command(&argv), name, "{command}");
        }
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(plain("My Server (dev)").unwrap(), "My-Server-dev");
        assert_eq!(plain("§§"), None);
    }
}
