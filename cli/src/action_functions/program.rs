//! Whether a file can be a function's program on this machine: else the local AWS would find out only when a job comes.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The bytes of a file's head that are looked at: an ELF header up to its machine.
const HEAD: usize = 20;

/// Where an ELF header has the machine that the program is for, as two bytes, the lower one first.
const ELF_MACHINE: std::ops::Range<usize> = 18..20;

/// The machines of ELF that Lambda has (`e_machine` of `elf.h`), as Lambda spells them.
const MACHINES: [(u16, &str); 2] = [(62, "x86_64"), (183, "arm64")];

/// How Mach-O programs begin, of one architecture and of several.
const MACH_O: [[u8; 4]; 2] = [[0xcf, 0xfa, 0xed, 0xfe], [0xca, 0xfe, 0xba, 0xbe]];

/// Why the file cannot be started here; `None` where nothing speaks against it.
pub(super) fn refusal(path: &Path, architecture: &str) -> Option<String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Some(format!("it cannot be read ({error})")),
    };
    let mode = file.metadata().ok()?.permissions().mode();
    let mut head = Vec::new();
    let limit = u64::try_from(HEAD).unwrap_or(u64::MAX);
    file.by_ref().take(limit).read_to_end(&mut head).ok()?;
    of_head(&head, architecture)
        .or_else(|| (mode & 0o111 == 0).then(|| "it is not executable".to_owned()))
}

fn of_head(head: &[u8], architecture: &str) -> Option<String> {
    if head.starts_with(b"#!") || MACH_O.iter().any(|magic| head.starts_with(magic)) {
        return None;
    }
    if !head.starts_with(b"\x7fELF") {
        return Some("it is neither a program nor a script".to_owned());
    }
    let machine = head.get(ELF_MACHINE)?.try_into().ok()?;
    let machine = u16::from_le_bytes(machine);
    let (_, name) = MACHINES.iter().find(|(number, _)| *number == machine)?;
    (*name != architecture)
        .then(|| format!("it is built for {name}, and this machine is {architecture}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_cannot_start_is_refused_with_the_reason() {
        let elf = |machine: u8| {
            let mut head = b"\x7fELF".to_vec();
            head.resize(18, 0);
            head.extend([machine, 0]);
            head
        };
        assert_eq!(of_head(&elf(62), "x86_64"), None);
        assert_eq!(
            of_head(&elf(183), "x86_64").unwrap(),
            "it is built for arm64, and this machine is x86_64"
        );
        assert_eq!(of_head(b"#!/bin/sh\n", "arm64"), None);
        assert_eq!(
            of_head(b"", "arm64").unwrap(),
            "it is neither a program nor a script"
        );
    }

    #[test]
    fn a_script_has_to_be_executable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        assert_eq!(refusal(&path, "arm64").unwrap(), "it is not executable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(refusal(&path, "arm64"), None);
    }
}
