//! Before anything is measured: whether a target comes up, and which of its optional transports are there.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::{Position, Url};

use super::{Described, Program, ProgramError, Target};
use crate::transport::Transport;

/// A server that says nothing for so long holds the request, and so knows it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Starts a target once, leaves out those of its optional transports that it does not know, and stops it.
///
/// # Errors
/// Where it is not installed or does not come up.
pub async fn prepare(target: &Target) -> Result<Target, ProgramError> {
    let Target::Described(described) = target else { return Ok(target.clone()) };
    let program = Program::start(described).await?;
    let mut able = Described::clone(described);
    for (transport, way) in &described.description.transport {
        if !way.optional {
            continue;
        }
        let url = program.url(&way.url, "probe", None);
        if let Some(status) = refusal(&url, *transport).await {
            able.description.transport.remove(transport);
            able.missing.push(format!("{transport} is left out: {} is answered with {status}", url.path()));
        }
    }
    program.stop().await;
    Ok(Target::Described(Arc::new(able)))
}

/// The status of an answer that says that there is no such thing; `None` for any other.
async fn refusal(url: &Url, transport: Transport) -> Option<u16> {
    let asked = async {
        let address = *url.socket_addrs(|| Some(80)).ok()?.first()?;
        let mut stream = TcpStream::connect(address).await.ok()?;
        let upgrade = match transport {
            Transport::WebSocket => {
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: cHVzaGxhYiBwdXNobGFiIQ==\r\n"
            }
            _ => "Connection: close\r\n",
        };
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{upgrade}\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        // "HTTP/1.1 404"
        let mut line = [0; 12];
        stream.read_exact(&mut line).await.ok()?;
        std::str::from_utf8(&line[9..]).ok()?.parse::<u16>().ok()
    };
    let status = tokio::time::timeout(ANSWERS_WITHIN, asked).await.ok()??;
    let is_there = match transport {
        Transport::WebSocket => status == 101,
        _ => !(400..600).contains(&status) || status == 408,
    };
    (!is_there).then_some(status)
}
