//! UDP sockets with room, short waits, and a count of what the system dropped.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::error::{Result, SpinnakerError};

/// Bytes that a socket asks to hold; the system may give less.
const BUFFER: usize = 8 << 20;

/// A socket at a port that does not block; port 0 is any.
///
/// # Errors
/// The system refuses; the text names port and address.
pub fn bind(address: Ipv4Addr, port: u16) -> Result<UdpSocket> {
    let open = || {
        let socket = UdpSocket::bind((address, port))?;
        socket.set_nonblocking(true)?;
        // Less room is no reason not to run: what does not fit is counted.
        let _ = set_socket_recv_buffer_size(&socket, BUFFER);
        Ok(socket)
    };
    open().map_err(|source| SpinnakerError::Io {
        doing: format!("opening UDP port {port} of {address}"),
        source,
    })
}

/// Waits until there is something to receive, or so long. Unlike a socket's own timeout it
/// ends on time to the microsecond.
pub fn wait(socket: &UdpSocket, most: Duration) {
    let timeout = Timespec {
        tv_sec: most.as_secs() as i64,
        tv_nsec: most.subsec_nanos().into(),
    };
    // An interrupted wait is a short one.
    let _ = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout));
}

/// Lets waits of this thread end when they are due: Linux may wake a thread 50 us later, so
/// as to wake others with it, unless it is told not to.
pub fn punctual() {
    #[cfg(target_os = "linux")]
    // Where the system refuses, waits are as they were.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// Datagrams that found the socket's buffer full, as Linux counts them; 0 elsewhere.
pub fn kernel_drops(socket: &UdpSocket) -> u64 {
    let (Ok(SocketAddr::V4(own)), Ok(table)) = (
        socket.local_addr(),
        std::fs::read_to_string("/proc/net/udp"),
    ) else {
        return 0;
    };
    let address = u32::from_ne_bytes(own.ip().octets());
    let own = format!("{address:08X}:{:04X}", own.port());
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(own.as_str()));
    let drops = line.and_then(|line| line.split_whitespace().last());
    drops.and_then(|n| n.parse().ok()).unwrap_or(0)
}
