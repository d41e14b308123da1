//! What this machine runs, from `/proc`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The processes that descend from one, itself too.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut waiting) = (vec![root], vec![root]);
    while let Some(pid) = waiting.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            found.push(*child);
            waiting.push(*child);
        }
    }
    found
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Whether a process is there, and more than a zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    })
}

/// Waits for the end of all of them, at most as long as the supervisor may take.
pub(crate) async fn wait_until_gone(pids: &[u32]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(Instant::now() < deadline, "still there: {pids:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The addresses on which these processes listen.
pub(crate) fn listeners(pids: &[u32]) -> Vec<SocketAddr> {
    let inodes: BTreeSet<String> = pids.iter().flat_map(|pid| sockets(*pid)).collect();
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table)
            .unwrap_or_default()
            .lines()
            .skip(1)
        {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields[3] == "0A"; // TCP_LISTEN, net/tcp_states.h
            if listens && inodes.contains(fields[9]) {
                let (host, port) = fields[1].split_once(':').unwrap();
                found.push(SocketAddr::new(
                    address(host),
                    u16::from_str_radix(port, 16).unwrap(),
                ));
            }
        }
    }
    found
}

fn sockets(pid: u32) -> Vec<String> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    let links = files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok());
    links
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect()
}

/// An address as the kernel prints it: words of 32 bits in the machine's byte order.
fn address(text: &str) -> IpAddr {
    let words: Vec<u8> = (0..text.len() / 8)
        .flat_map(|word| {
            u32::from_str_radix(&text[word * 8..word * 8 + 8], 16)
                .unwrap()
                .to_ne_bytes()
        })
        .collect();
    match <[u8; 4]>::try_from(words.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(
            <[u8; 16]>::try_from(words.as_slice()).unwrap(),
        )),
    }
}
