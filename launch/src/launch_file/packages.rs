//! Names of nodes, and where a package's shared files are.

use std::path::{Path, PathBuf};

/// Namespace and name joined, absolute.
pub(super) fn join_name(namespace: &str, name: &str) -> String {
    format!("{}/{name}", namespace.trim_end_matches('/'))
}

/// A namespace within another; an absolute one stands alone.
///
/// # Errors
/// A namespace that ROS 2 would refuse.
pub(super) fn push_namespace(outer: &str, inner: &str) -> Result<String, String> {
    let joined = match inner.strip_prefix('/') {
        Some("") => "/".to_owned(),
        Some(absolute) => format!("/{absolute}"),
        None if inner.is_empty() => outer.to_owned(),
        None => join_name(outer, inner),
    };
    match joined
        .trim_start_matches('/')
        .split('/')
        .find(|token| !is_name(token))
    {
        Some(wrong) if joined != "/" => Err(format!(
            "namespace '{joined}': '{wrong}' is not a name (letters, digits, _)"
        )),
        _ => Ok(joined),
    }
}

/// Whether this may be a node's name or a part of a namespace.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `$(find-pkg-share package)`: where ROS 2 has it installed
/// (`AMENT_PREFIX_PATH`), otherwise the source package of that name in the
/// workspace the launch file lies in, whose folder has the same layout.
///
/// # Errors
/// Not found; the text says where was looked.
pub(super) fn share_folder(package: &str, launch_file: &Path) -> Result<String, String> {
    if !package
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    {
        return Err(format!("'{package}' is not a package name"));
    }
    let prefixes = std::env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
    let installed = std::env::split_paths(&prefixes)
        .filter(|p| !p.as_os_str().is_empty())
        .map(|p| p.join("share").join(package))
        .find(|p| p.join("package.xml").is_file());
    let found = installed.or_else(|| source_folder(package, launch_file));
    let found = found.ok_or_else(|| {
        format!(
            "package '{package}' is neither in AMENT_PREFIX_PATH nor a folder with such a \
             package.xml next to or above {}",
            launch_file.display()
        )
    })?;
    found
        .into_os_string()
        .into_string()
        .map_err(|path| format!("the folder of '{package}' is not UTF-8: {}", path.display()))
}

/// A program of an installed package, `PREFIX/lib/PACKAGE/EXEC` of one of the prefixes in
/// `AMENT_PREFIX_PATH`, as `ros2 run` and ROS 2's launch find it.
///
/// # Errors
/// Not found; the text says where was looked.
pub fn find_executable(package: &str, exec: &str) -> Result<PathBuf, String> {
    let prefixes = std::env::var_os("AMENT_PREFIX_PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&prefixes)
        .filter(|p| !p.as_os_str().is_empty())
        .map(|p| p.join("lib").join(package))
        .collect();
    if let Some(found) = folders.iter().map(|f| f.join(exec)).find(|p| is_program(p)) {
        return Ok(found);
    }
    let there: Vec<_> = folders.iter().filter(|f| f.is_dir()).collect();
    let looked = match (there.as_slice(), folders.as_slice()) {
        (_, []) => {
            "AMENT_PREFIX_PATH is not set; source the ROS 2 workspace that has it".to_owned()
        }
        ([], _) => format!(
            "none of the prefixes in AMENT_PREFIX_PATH has lib/{package}: {}; is the package \
             installed, and its workspace sourced?",
            prefixes.display()
        ),
        (there, _) => format!("no such program in {}", shown(there)),
    };
    Err(format!(
        "package '{package}', executable '{exec}': {looked}"
    ))
}

fn shown(folders: &[&PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
    folders.join(", ")
}

/// Whether it is a file that may be run.
fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata()
            .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

/// Looks at each folder above the launch file, and at the folders in it.
fn source_folder(package: &str, launch_file: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(launch_file).ok()?;
    absolute.ancestors().skip(1).find_map(|above| {
        let mut candidates = vec![above.to_owned()];
        if let Ok(entries) = std::fs::read_dir(above) {
            candidates.extend(entries.flatten().map(|e| e.path()));
        }
        candidates
            .into_iter()
            .find(|folder| is_package(folder, package))
    })
}

fn is_package(folder: &Path, package: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(folder.join("package.xml")) else {
        return false;
    };
    roxmltree::Document::parse(&text).is_ok_and(|document| {
        let mut children = document.root_element().children();
        children.any(|n| n.has_tag_name("name") && n.text().map(str::trim) == Some(package))
    })
}

#[cfg(test)]
mod tests {
    use super::push_namespace;

    #[test]
    fn namespaces_nest_unless_absolute() {
        for (outer, inner, expected) in [
            ("/", "left", "/left"),
            ("/robot", "left", "/robot/left"),
            ("/robot", "/left", "/left"),
            ("/robot", "", "/robot"),
            ("/robot", "/", "/"),
            ("/", "a/b", "/a/b"),
        ] {
            assert_eq!(push_namespace(outer, inner).as_deref(), Ok(expected));
        }
        for wrong in ["1a", "a b", "a//b", "a-b", "//", "ä"] {
            assert!(push_namespace("/", wrong).is_err(), "{wrong}");
        }
    }
}
