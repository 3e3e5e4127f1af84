package hostsdeny

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Markers around the lines of bans.
const (
	begin = "# BEGIN PiAlert: bans, kept by pialert-responder; write your own lines elsewhere"
	end   = "# END PiAlert"
)

// The names under which sshd asks libwrap: its own, or that of the program that serves one connection
// since OpenSSH 9.8.
const (
	daemonName  = "sshd"
	daemonNames = "sshd sshd-session"
)

// line returns what denies a source, as hosts_access(5) has it: an address, net/mask, or [net]/length.
func line(daemons string, ban netip.Prefix) string {
	addr := ban.Addr()
	switch {
	case addr.Is6():
		return daemons + ": [" + addr.String() + "]/" + strings.TrimPrefix(ban.String(), addr.String()+"/")
	case ban.Bits() == addr.BitLen():
		return daemons + ": " + addr.String()
	default:
		return daemons + ": " + addr.String() + "/" + net.IP(net.CIDRMask(ban.Bits(), 32)).String()
	}
}

// isBan says whether a line has the form of a ban's.
func isBan(text []byte) bool {
	for _, daemons := range []string{daemonName, daemonNames} {
		if rest, ok := bytes.CutPrefix(text, []byte(daemons+": ")); ok && len(rest) > 0 && !bytes.ContainsAny(rest, " \t\\") {
			return true
		}
	}
	return false
}

// rewrite returns a file's content with these bans between the markers, and how many lines of bans
// differ. The block stays where it is, or comes last; without bans there is none.
func rewrite(content []byte, daemons string, bans []netip.Prefix) (fresh []byte, changed int) {
	foreign, at, had := split(content)
	want := make([]string, 0, len(bans))
	for _, ban := range slices.SortedFunc(slices.Values(bans), netip.Prefix.Compare) {
		want = append(want, line(daemons, ban))
	}
	changed = differ(had, want)
	block := ""
	if len(want) > 0 {
		block = begin + "\n" + strings.Join(want, "\n") + "\n" + end + "\n"
		before := foreign[:at]
		if len(before) > 0 && before[len(before)-1] != '\n' {
			block = "\n" + block
		}
		// A backslash at a line's end makes the next one belong to it (hosts_access(5)).
		if bytes.HasSuffix(bytes.TrimSuffix(before, []byte("\n")), []byte("\\")) {
			block = "\n" + block
		}
	}
	return slices.Concat(foreign[:at], []byte(block), foreign[at:]), changed
}

// split takes the bans and their markers out of a file's content. It returns what others wrote, where
// in it the block was, or the end, and the lines of bans. Where the second marker is missing, the block
// ends with the last line that can be a ban.
func split(content []byte) (foreign []byte, at int, bans []string) {
	inside, found, closed := false, false, false
	var pending [][]byte // foreign lines within the block
	at = -1
	flush := func() {
		for _, one := range pending {
			foreign = append(foreign, one...)
		}
		pending, inside = nil, false
	}
	rest := content
	for text := range bytes.Lines(content) {
		rest = rest[len(text):]
		bare := bytes.TrimRight(text, "\r\n")
		switch {
		case string(bare) == begin:
			flush()
			if inside, closed = true, bytes.Contains(rest, []byte(end)); !found {
				found, at = true, len(foreign)
			}
		case string(bare) == end && (inside || found):
			flush()
		case inside && isBan(bare):
			bans = append(bans, string(bare))
		case inside && closed:
			pending = append(pending, text)
		default:
			flush()
			foreign = append(foreign, text...)
		}
	}
	flush()
	if at < 0 {
		at = len(foreign)
	}
	return foreign, at, bans
}

// differ counts the lines that only one of two lists has.
func differ(a, b []string) (n int) {
	count := map[string]int{}
	for _, one := range a {
		count[one]++
	}
	for _, one := range b {
		count[one]--
	}
	for _, left := range count {
		n += max(left, -left)
	}
	return n
}
