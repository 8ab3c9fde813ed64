//! What belongs to a program, and what does not.

use std::fs;

use super::*;
use crate::scratch::Scratch;

#[test]
fn a_whole_is_found_around_its_program() {
    let dir = Scratch::new();
    fs::create_dir_all(dir.join("app/dist")).unwrap();
    fs::create_dir_all(dir.join("venv/bin")).unwrap();
    fs::create_dir_all(dir.join("plain")).unwrap();
    fs::create_dir_all(dir.join("python/bin")).unwrap();
    fs::write(dir.join("app/package.json"), "{}").unwrap();
    fs::write(dir.join("app/dist/server.js"), "#!/usr/bin/env sh\n").unwrap();
    fs::write(dir.join("plain/server"), "\x7fELF").unwrap();
    fs::write(dir.join("venv/pyvenv.cfg"), format!("home = {}/python/bin\n", dir.display()))
        .unwrap();
    fs::write(dir.join("venv/bin/python"), "\x7fELF").unwrap();
    let script = format!("#!{}/venv/bin/python\n", dir.display());
    fs::write(dir.join("plain/script"), script).unwrap();
    let of = |name: &str| of_program(&dir.join(name));
    assert_eq!(of("app/dist/server.js"), [dir.join("app")]);
    assert_eq!(of("plain/server"), [dir.join("plain")]);
    assert_eq!(of("plain/script"), ["plain", "python/bin", "venv"].map(|name| dir.join(name)));
    assert_eq!(of_program(Path::new("/usr/bin/env")), Vec::<PathBuf>::new());
    let args = ["x", "--file=/etc/hostname", "/"].map(OsString::from);
    assert!(!of_arguments(&args, &dir).contains(&"/".into()));
}

/// A package writes what leads on from its own files.
#[test]
fn what_is_installed_leads_nowhere_but_to_interpreters() {
    let (dir, victim) = (Scratch::new(), Scratch::new());
    let (tree, secret) = (dir.join("tree"), victim.join("id_rsa"));
    let venv = tree.join("tools/server");
    fs::create_dir_all(venv.join("bin")).unwrap();
    fs::write(&secret, "a secret").unwrap();
    let (program, config) = (venv.join("bin/server"), venv.join("pyvenv.cfg"));
    let shebang = |path: &Path| fs::write(&program, format!("#!{}\n", path.display())).unwrap();
    let based = |path: &Path| fs::write(&config, format!("home = {}\n", path.display())).unwrap();
    let found = || of_installed(&program, &tree).map(fewest);
    based(Path::new("/usr/bin"));
    shebang(&venv.join("bin/python"));
    assert_eq!(found(), Ok(vec![tree.clone()]));
    shebang(&secret);
    assert_eq!(found(), Err(victim.to_path_buf()));
    let winding = victim.strip_prefix("/").unwrap();
    shebang(&Path::new("/usr/../").join(winding).join("id_rsa"));
    assert_eq!(found(), Err(victim.to_path_buf()));
    shebang(&venv.join("bin/python"));
    based(&victim);
    assert_eq!(found(), Err(victim.to_path_buf()));
    based(&tree.join("python/bin"));
    fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink(&secret, &program).unwrap();
    assert_eq!(found(), Err(victim.to_path_buf()));
    fs::remove_file(&program).unwrap();
    shebang(Path::new("/usr/bin/env python3"));
    assert!(found().unwrap().contains(&tree), "whatever python that is");
    fs::remove_file(&config).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &config).unwrap();
    assert!(found().unwrap().contains(&tree));
}

#[test]
fn what_a_shim_stands_for_comes_before_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Scratch::new();
    for place in ["plain", "pyenv/shims", "pyenv/versions/3.1/bin", "pyenv/versions/3.2/bin"] {
        fs::create_dir_all(dir.join(place)).unwrap();
        fs::write(dir.join(place).join("uv"), "#!/bin/sh").unwrap();
        let runs = fs::Permissions::from_mode(0o755);
        fs::set_permissions(dir.join(place).join("uv"), runs).unwrap();
    }
    let path = std::env::join_paths(["pyenv/shims", "plain"].map(|at| dir.join(at))).unwrap();
    let found: Vec<PathBuf> = all_in(&path, OsStr::new("uv")).collect();
    assert_eq!(found, ["pyenv/shims/uv", "plain/uv"].map(|at| dir.join(at)));
    let real = ["pyenv/versions/3.2/bin/uv", "pyenv/versions/3.1/bin/uv"].map(|at| dir.join(at));
    assert_eq!(behind_shim(&found[0], OsStr::new("uv")), real);
    assert!(behind_shim(&found[1], OsStr::new("uv")).is_empty());
}

#[test]
fn no_whole_is_a_home_or_the_top() {
    for (file, whole) in [
        ("/home/alice/server", "/home/alice/server"),
        ("/srv/server", "/srv/server"),
        ("/srv/app/server", "/srv/app"),
        ("/home/alice/.local/bin/server", "/home/alice/.local/bin"),
        ("/opt/server/bin/server", "/opt/server"),
        ("/opt/server", "/opt/server"),
        ("/srv/app/node_modules/@a/b/dist/index.js", "/srv/app/node_modules"),
        ("/srv/app/node_modules/a/node_modules/b/cli.js", "/srv/app/node_modules"),
    ] {
        assert_eq!(around(Path::new(file)), [PathBuf::from(whole)]);
    }
}
