//! Where this machine's control groups are, from `/proc/self/mountinfo` and `/proc/self/cgroup`.
//!
//! A controller is in one hierarchy only: in the one of version 2, or in one of version 1. A hybrid machine has both,
//! and its version 2 hierarchy may have no controllers at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// The topmost group that can be seen here.
    pub(crate) root: PathBuf,
    /// The group that this process is in.
    pub(crate) own: PathBuf,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Hierarchies {
    /// Version 2.
    pub(crate) unified: Option<Hierarchy>,
    /// Version 1, by controller.
    pub(crate) legacy: BTreeMap<String, Hierarchy>,
}

impl Hierarchies {
    /// Of this process. A machine without `/proc` has none.
    pub(crate) fn of_this_process() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    /// Of these two files' texts.
    pub(crate) fn parse(mountinfo: &str, cgroup: &str) -> Self {
        let own = own_groups(cgroup);
        let mut this = Self::default();
        for mount in mountinfo.lines().filter_map(Mount::parse) {
            if mount.kind == "cgroup2" {
                let hierarchy = mount.hierarchy(own.get("").copied());
                // Of several mounts of one hierarchy, the first will do.
                this.unified.get_or_insert(hierarchy);
            } else {
                for controller in mount.options.split(',') {
                    if let Some(group) = own.get(controller) {
                        let hierarchy = mount.hierarchy(Some(group));
                        this.legacy
                            .entry(controller.to_owned())
                            .or_insert(hierarchy);
                    }
                }
            }
        }
        this
    }
}

/// This process's group by controller; version 2's has no name.
fn own_groups(cgroup: &str) -> BTreeMap<&str, &str> {
    let mut own = BTreeMap::new();
    for line in cgroup.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else {
            continue;
        };
        own.extend(controllers.split(',').map(|controller| (controller, group)));
    }
    own
}

struct Mount<'a> {
    /// Which group of the hierarchy is mounted.
    group: String,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// A line about a hierarchy; `None` for other file systems.
    fn parse(line: &'a str) -> Option<Self> {
        // Optional fields end with a single dash: see proc_pid_mountinfo(5).
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let kind = after.next().filter(|kind| kind.starts_with("cgroup"))?;
        let options = after.nth(1)?;
        let mut before = before.split(' ').skip(3);
        let group = unescape(before.next()?);
        let point = PathBuf::from(unescape(before.next()?));
        Some(Self {
            group,
            point,
            kind,
            options,
        })
    }

    fn hierarchy(&self, own: Option<&str>) -> Hierarchy {
        let below = own.and_then(|own| Path::new(own).strip_prefix(&self.group).ok());
        // A group outside of what is mounted cannot be seen: the topmost one that can be is the nearest.
        let own = below
            .filter(|below| !below.as_os_str().is_empty())
            .map_or_else(|| self.point.clone(), |below| self.point.join(below));
        Hierarchy {
            root: self.point.clone(),
            own,
        }
    }
}

/// Spaces and the like are written as `\040`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| byte == b'\\');
        let code = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &tail[3..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(mountinfo: &str, cgroup: &str, expected: &Expect) {
        let seen = Hierarchies::parse(mountinfo, cgroup);
        let mut lines: Vec<String> = seen
            .legacy
            .iter()
            .map(|(controller, it)| format!("{controller}: {}", it.own.display()))
            .collect();
        if let Some(unified) = &seen.unified {
            lines.push(format!(
                "v2: {} in {}",
                unified.own.display(),
                unified.root.display()
            ));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_machine_with_version_2_alone() {
        check(
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n\
             31 23 0:27 / /tmp rw - tmpfs tmpfs rw",
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/odin.service\n",
            &expect![
                "v2: /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/odin.service in /sys/fs/cgroup"
            ],
        );
    }

    #[test]
    fn a_hybrid_machine_has_both() {
        check(
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
             32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
            "9:name=systemd:/\n4:memory:/api/4e:b4\n2:cpu,cpuacct:/\n0::/\n",
            &expect![[r#"
                cpu: /sys/fs/cgroup/cpu,cpuacct
                cpuacct: /sys/fs/cgroup/cpu,cpuacct
                memory: /sys/fs/cgroup/memory/api/4e:b4
                name=systemd: /sys/fs/cgroup/systemd
                v2: /sys/fs/cgroup/unified in /sys/fs/cgroup/unified"#]],
        );
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root_and_paths_may_hold_spaces() {
        check(
            "32 31 0:29 /docker/ab /my\\040cgroups/memory ro - cgroup cgroup rw,memory",
            "4:memory:/docker/ab/x\n",
            &expect!["memory: /my cgroups/memory/x"],
        );
        check(
            "32 31 0:29 /docker/ab /cg/memory ro - cgroup cgroup rw,memory",
            "4:memory:/elsewhere\n",
            &expect!["memory: /cg/memory"],
        );
        check("", "", &expect![""]);
        check("nonsense\n - \n", "x\n::\n", &expect![""]);
    }
}
