//! The port that `MiniStack` listens on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

/// Below the ports that Linux (`ip_local_port_range`, from 32768) and macOS (from 49152) give to connections, and to servers
/// that ask for any. `MiniStack` listens some seconds after its port was chosen, and by then a busy machine may have given
/// one of those to somebody else.
const PORTS: Range<u16> = 20_000..32_768;

/// A free loopback address.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    let [high, low, ..] = *uuid::Uuid::new_v4().as_bytes();
    free_address_from(PORTS.start + u16::from_be_bytes([high, low]) % (PORTS.end - PORTS.start))
}

/// The first that is free from a port on; after the last port comes the first again.
fn free_address_from(first: u16) -> io::Result<SocketAddr> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr();
    let mut ports = (first..PORTS.end).chain(PORTS.start..first);
    let found = ports.find_map(|port| free(port).ok());
    found.map_or_else(|| free(0), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_and_none_that_is_given_to_others() {
        for first in [PORTS.start, 23_456, PORTS.end - 1] {
            let taken = free_address_from(first).unwrap();
            let _listener = TcpListener::bind(taken).unwrap();
            let other = free_address_from(taken.port()).unwrap();
            assert_ne!(taken, other);
            assert!(PORTS.contains(&taken.port()) && PORTS.contains(&other.port()));
        }
        assert!(PORTS.contains(&free_address().unwrap().port()));
    }
}
