// Package syslog is what other machines send as a source of lines: syslog over UDP, TCP and TLS, and by a
// Unix datagram socket.
//
// # What it promises
//
//   - A message is never dropped in silence. What has no header is handed on as text, what is longer than
//     [MaxFrame] as far as that, and both are counted; so is whatever the kernel drops, and whoever is
//     refused. Any byte may stand in a message; a newline becomes #012, as rsyslog escapes it.
//   - While the lines are not taken, as on a full disk, nothing is read: TCP's own flow control holds the
//     senders back, and the kernel keeps what its buffer holds of UDP.
//   - Memory is bounded whatever is sent, and by whomever: see the limits in port.go.
//   - The sender of a line stands in it where no sender can write: a line is
//     "TIME SENDER/HOST TAG: TEXT", the host as the message names it if that is wanted, else
//     "TIME SENDER TAG: TEXT".
//
// # What it refuses
//
// Senders whose address is not allowed; on TLS, clients whose certificate is not. It judges no text.
// Whoever can send from an allowed address can write any line of any machine's; with UDP, whoever can
// forge such an address.
//
// Frames on streams are decided one by one (RFC 6587): a count of octets before the message, or an end
// behind it, which is a newline, with or without a carriage return, or a NUL.
package syslog
