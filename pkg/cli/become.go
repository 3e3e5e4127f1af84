package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Become makes a process of root's the one of the service whose state folder it works on: the
// folder's owner, with all of that user's groups. What it writes then belongs to the service, and
// what it may read is what the service may read. A process that is not root's, and a folder that is
// root's or does not exist, change nothing. The folders of sockets are made before, as systemd makes
// them for the service.
func Become(state string, sockets ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look at the state folder: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return nil
	}
	for _, socket := range sockets {
		folder := filepath.Dir(socket)
		if err := os.Mkdir(folder, 0o755); errors.Is(err, fs.ErrExist) || socket == "" {
			continue
		} else if err != nil {
			return fmt.Errorf("cannot make the folder of a socket: %w", err)
		}
		if err := os.Chown(folder, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	groups := []int{int(owner.Gid)}
	if account, err := user.LookupId(strconv.Itoa(int(owner.Uid))); err == nil {
		ids, err := account.GroupIds()
		if err != nil {
			return fmt.Errorf("cannot find the groups of %s: %w", account.Username, err)
		}
		for _, id := range ids {
			if n, err := strconv.Atoi(id); err == nil {
				groups = append(groups, n)
			}
		}
	}
	err = errors.Join(syscall.Setgroups(groups), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid)))
	if err != nil {
		return fmt.Errorf("cannot become the owner of %s, user %d: %w", state, owner.Uid, err)
	}
	return nil
}

// CheckState refuses a state folder of which a file belongs to somebody else, as one does that root
// made: the service could read it or not, but never write it.
func CheckState(state string) error {
	self := uint32(os.Geteuid())
	if self == 0 {
		return nil
	}
	return filepath.WalkDir(state, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return nil // it is gone, or in a folder that was named before
		}
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != self {
			return Hint(fmt.Errorf("%s belongs to %s, and this runs as %s", path, name(owner.Uid), name(self)),
				"sudo chown -R %s: %s", name(self), state)
		}
		return nil
	})
}

// name is that of a user, or the number if there is none.
func name(uid uint32) string {
	if account, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		return account.Username
	}
	return fmt.Sprint("user ", uid)
}
