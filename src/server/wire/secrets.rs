//! What no page is shown, even of its own requests: a wire view is made to be looked at by a class.
//!
//! A browser sends all cookies of a host to each of its ports, so the head of a request may carry the
//! sessions of whatever else runs on this machine. Their values, credentials and our own token are written
//! over with stars of the same length; the counts stay true.

/// How the names of our own cookies begin, which may be seen.
const OURS: &[u8] = b"pushlab-";

/// Writes stars over secrets in a whole head.
pub(super) fn hide(head: &mut [u8], token: Option<&str>) {
    for line in head.split_mut(|byte| *byte == b'\n') {
        let end = line.len() - usize::from(line.last() == Some(&b'\r'));
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line[..end.max(colon + 1)].split_at_mut(colon + 1);
        match name.to_ascii_lowercase().as_slice() {
            b"cookie:" => value.split_mut(|byte| *byte == b';').for_each(hide_cookie),
            b"authorization:" | b"proxy-authorization:" => hide_credentials(value),
            _ => {}
        }
    }
    let Some(token) = token.map(str::as_bytes) else { return };
    let mut start = 0;
    while let Some(at) = head[start..].windows(token.len()).position(|window| window == token) {
        head[start + at..start + at + token.len()].fill(b'*');
        start += at + token.len();
    }
}

/// The value of a cookie that is not ours; without `=` all of it is a value.
fn hide_cookie(pair: &mut [u8]) {
    if !pair.trim_ascii_start().starts_with(OURS) {
        let value = pair.iter().position(|byte| *byte == b'=').map_or(0, |equals| equals + 1);
        star(&mut pair[value..]);
    }
}

/// Everything after the scheme.
fn hide_credentials(value: &mut [u8]) {
    let scheme = value.len() - value.trim_ascii_start().len();
    let after = value[scheme..].iter().position(|byte| *byte == b' ').map_or(scheme, |space| scheme + space);
    star(&mut value[after..]);
}

fn star(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b' ') {
        *byte = b'*';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_ours_become_stars_and_nothing_moves() {
        let mut head = "GET /?token=TTTT HTTP/1.1\r\nHost: a:1\r\nCookie: jupyter=abc; pushlab-language=zh; \
                        pushlab-token-1=TTTT; bare\r\nauthorization:  Basic dTpw\r\nX: TTTT\n\r\n"
            .to_owned()
            .into_bytes();
        let length = head.len();
        hide(&mut head, Some("TTTT"));
        assert_eq!(head.len(), length);
        assert_eq!(
            String::from_utf8(head).expect("text"),
            "GET /?token=**** HTTP/1.1\r\nHost: a:1\r\nCookie: jupyter=***; pushlab-language=zh; \
             pushlab-token-1=****; ****\r\nauthorization:  Basic ****\r\nX: ****\n\r\n"
        );
    }

    #[test]
    fn any_bytes_are_taken() {
        for head in ["", ":", "\n:\n", "cookie:", "cookie:\r\n\r\n", "Authorization:\r", "cookie:=;=;;"] {
            let mut bytes = head.as_bytes().to_vec();
            hide(&mut bytes, Some("token"));
            assert_eq!(bytes.len(), head.len());
        }
    }
}
