package hostsdeny

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// installed are the places in which distributions have sshd, and the program that serves one connection
// since OpenSSH 9.8.
var installed = []string{
	"/usr/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/libexec/openssh/sshd-session", "/usr/lib/ssh/sshd-session", "/usr/libexec/sshd-session",
}

// listening returns the names under which sshd asks libwrap. The error says so if it never does: only
// Debian and its kin still link it.
func listening(programs []string) (daemons string, err error) {
	found, linked := []string(nil), false
	daemons = daemonName
	for _, path := range programs {
		wraps, err := usesLibwrap(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("cannot tell whether %s is linked to libwrap: %w", path, err)
		}
		if strings.HasSuffix(path, "/sshd-session") {
			daemons = daemonNames
		}
		found, linked = append(found, path), linked || wraps
	}
	if len(found) == 0 {
		return "", errors.New("no sshd is installed that could read hosts.deny; take hosts_deny out of responses")
	}
	if !linked {
		return "", fmt.Errorf("%s is not linked to libwrap and never reads hosts.deny; take hosts_deny out of responses, and use nftables", strings.Join(found, " or "))
	}
	return daemons, nil
}

func usesLibwrap(path string) (bool, error) {
	file, err := elf.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return false, err
	}
	for _, name := range libraries {
		if strings.HasPrefix(name, "libwrap.so") {
			return true, nil
		}
	}
	return false, nil
}
