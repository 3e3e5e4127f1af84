package header

import (
	"slices"
	"strings"
)

// Sender is who wrote a line, as the system tells and no sender can choose: journald's own fields, or a
// socket's credentials.
type Sender struct {
	// Kernel: no program sent it.
	Kernel bool
	// UID is the user's number; negative if it is not known.
	UID int64
	// Executable is the program's file; empty if it is not known.
	Executable string
	// Service: it belongs to a unit of the system, not to somebody's login session.
	Service bool
}

// Trust says who may write under which name. The zero value believes root, the kernel, and services.
type Trust struct {
	// RootOnly are the programs whose messages only root writes: for any other sender the name is a lie.
	RootOnly map[string]bool
	// Setuid are the programs that write under their caller's user id, and where they are installed.
	Setuid map[string][]string
}

// Believes reports whether a sender may write under an identifier. Any user can send entries with any
// identifier, by logger(1) for one. Believed are the kernel, root, the setuid programs by their
// executable, and services for what is not root's alone.
func (t Trust) Believes(identifier string, by Sender) bool {
	switch {
	case by.Kernel, by.UID == 0:
		return true
	case by.Executable != "" && slices.Contains(t.Setuid[identifier], by.Executable):
		return true
	}
	return by.Service && by.UID > 0 && !slices.ContainsFunc(programs(identifier), func(name string) bool { return t.RootOnly[name] })
}

// programs splits an identifier as "sshd(pam_unix)" or "postfix/smtpd" into the names in it.
func programs(identifier string) []string {
	return strings.FieldsFunc(strings.ToLower(identifier), func(c rune) bool {
		return c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
}
