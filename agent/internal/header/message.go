package header

import "bytes"

// Message is a line of syslog, cut into its parts. The parts point into the line.
type Message struct {
	Stamp Stamp
	Host  []byte // as logged; empty where the line names none
	Tag   []byte // program, without process, path or brackets: "sshd", "postfix/smtpd"
	PID   uint32 // 0 if the line has none
	PAM   []byte // PAM module, where one wrote the line: "pam_unix"
	Body  []byte // what the program said, without trailing white space
	// Clipped says that the line is as long as one whose end was cut off on its way.
	Clipped bool
}

// TrimEnd takes off trailing spaces, tabs and carriage returns.
func TrimEnd(text []byte) []byte {
	for len(text) > 0 {
		switch text[len(text)-1] {
		case ' ', '\t', '\r':
			text = text[:len(text)-1]
			continue
		}
		break
	}
	return text
}

// isPriority says whether a word is a facility and a level, as in "authpriv.info" or "local0.notice".
func isPriority(word []byte) bool {
	dot := bytes.IndexByte(word, '.')
	if dot < 0 {
		return false
	}
	switch string(word[dot+1:]) {
	case "emerg", "alert", "crit", "err", "warn", "warning", "notice", "info", "debug":
	default:
		return false
	}
	switch string(word[:dot]) {
	case "auth", "authpriv", "security", "daemon", "user", "mail", "ftp", "kern", "cron", "syslog", "console",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7":
		return true
	}
	return false
}

// withoutSite takes the parentheses off the tag "wordpress(example.com)".
func withoutSite(tag []byte) []byte {
	if open := bytes.IndexByte(tag, '('); open > 0 && tag[len(tag)-1] == ')' {
		return tag[:open]
	}
	return tag
}
