// Package hostsdeny keeps bans in force in /etc/hosts.deny, which sshd reads at each connection where
// it is linked to libwrap.
//
// # What it promises
//
//   - [File.Sync] makes the lines between two markers say what is given; whoever stands there is
//     refused by sshd before its first byte.
//   - Every other line stays as it is and in its order, also one that somebody wrote between the
//     markers; so do the file's mode, owner and group. The file is replaced as a whole, so that sshd
//     reads the former or the new one.
//   - What somebody else wrote meanwhile is not overwritten: the change is taken back, and the next
//     Sync begins from what is there then.
//   - Where no sshd is linked to libwrap, nothing is written, and the error says so: bans would be
//     promised that nobody keeps.
//
// # What it refuses
//
// It decides nothing. Lines of hosts.deny do not end by themselves, so that a responder that stops has
// to take them back; and what hosts.allow grants, libwrap grants before it looks here.
package hostsdeny

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/pialert/pialert/pkg/private"
)

// Options say which file, and whose.
type Options struct {
	Path string // as a rule /etc/hosts.deny; a link is followed
	SSHD []string
}

// File is the one file. Its methods are for one goroutine, but for Watch.
type File struct {
	options Options
	syncDir func(dir string) error
}

// New returns a File that has touched nothing. Without programs those are taken that distributions
// install.
func New(options Options) *File {
	if len(options.SSHD) == 0 {
		options.SSHD = installed
	}
	return &File{options, private.SyncDir}
}

// Sync makes the file deny these sources and, between its markers, no others. It returns how many lines
// it had to add or take away.
func (f *File) Sync(bans []netip.Prefix) (changed int, err error) {
	daemons, err := listening(f.options.SSHD)
	if err != nil {
		return 0, err
	}
	return f.write(daemons, bans)
}

// Remove takes every ban back.
func (f *File) Remove() error {
	_, err := f.write(daemonNames, nil)
	return err
}

func (f *File) write(daemons string, bans []netip.Prefix) (changed int, err error) {
	old, err := read(f.options.Path)
	if err != nil {
		return 0, err
	}
	content, changed := rewrite(old.content, daemons, bans)
	if string(content) == string(old.content) {
		return 0, nil
	}
	if err := old.replace(content); err != nil {
		return 0, err
	}
	if err := f.syncDir(filepath.Dir(old.path)); err != nil { // or what was taken back is there again after a power cut
		return changed, fmt.Errorf("cannot write %s: %w", old.path, err)
	}
	return changed, nil
}

// Watch calls changed whenever somebody may have changed the file, until ctx ends; also after changes
// of its own.
func (f *File) Watch(ctx context.Context, changed func()) error {
	path, err := resolve(f.options.Path)
	if err != nil {
		return err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot watch %s: %w", path, err)
	}
	defer watcher.Close()
	if err := watcher.Add(filepath.Dir(path)); err != nil { // its entry is replaced, not only its content
		return fmt.Errorf("cannot watch %s: %w", path, err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-watcher.Events:
			if !ok {
				return errors.New("the kernel no longer tells of changes of " + path)
			}
			if event.Name == path {
				changed()
			}
		case err := <-watcher.Errors:
			return fmt.Errorf("cannot watch %s: %w", path, err)
		}
	}
}
