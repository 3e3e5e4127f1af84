package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pialert/pialert/pkg/private"
)

// A damaged file is replaced so that a crash at any point leaves either the damaged file in its
// place or the finished new one beside it:
//
//  1. a new file PATH.new takes what can be read of the damaged one;
//  2. the damaged file is renamed to PATH.damaged-TIME;
//  3. the new file is renamed to PATH.
const newSuffix = ".new"

// keepDamaged is how many damaged files are kept; the oldest are deleted.
const keepDamaged = 3

// finishReplacement completes step 3 if a crash came before it.
func finishReplacement(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(path + newSuffix); err != nil {
		return nil //nolint:nilerr // there is nothing to complete
	}
	for _, of := range []string{path + "-wal", path + "-shm"} {
		if err := os.Remove(of); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return rename(path+newSuffix, path)
}

// replace makes a new file of what is readable in the damaged one and of what is known besides,
// sets the damaged one aside and opens the new one. The damaged file must not be open.
func (h *History) replace(known summary, cause error) (*store, summary, error) {
	path := h.options.Path
	aside := path + ".damaged-" + h.options.Now().UTC().Format("20060102T150405.000Z")
	h.log.Error("the history is damaged; what can be read of it is carried over to a new file",
		"file", path, "error", cause, "kept as", aside)
	fresh := path + newSuffix
	clear := func() error { return removeAll(fresh, fresh+"-wal", fresh+"-shm", fresh+"-journal") }
	if err := clear(); err != nil {
		return nil, known, fmt.Errorf("cannot replace the damaged history: %w", err)
	}
	to, err := openStore(fresh, h.now(), listBytes(h.options.MaxBytes), h.options.Progress)
	if err != nil {
		return nil, known, fmt.Errorf("cannot replace the damaged history: %w", errors.Join(err, clear()))
	}
	events, err := salvage(path, to, known, h.now(), time.Now().Add(salvageBudget))
	if err == nil {
		err = to.emptyWAL()
	}
	if err = errors.Join(err, to.close()); err != nil { // half a file would only take the room that there is
		return nil, known, fmt.Errorf("cannot replace the damaged history: %w", errors.Join(err, clear()))
	}
	// What is acknowledged from now on is in the new file, so it must have its name after a power cut.
	for _, move := range [][2]string{{path, aside}, {path + "-wal", aside + "-wal"}, {path + "-shm", aside + "-shm"}, {fresh, path}} {
		if err := rename(move[0], move[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, known, fmt.Errorf("cannot set the damaged history aside: %w", err)
		}
	}
	h.forgetDamaged()
	opened, err := openStore(path, h.now(), listBytes(h.options.MaxBytes), h.options.Progress)
	if err != nil {
		return nil, known, err
	}
	if known, err = opened.load(); err != nil {
		return nil, known, errors.Join(err, opened.close())
	}
	h.log.Warn("the history goes on in a new file", "file", path, "events carried over", events,
		"agents", len(known.agents), "damaged file", aside)
	return opened, known, nil
}

// emptyWAL moves everything from the WAL to the file itself, which alone gets another name. To close a file does the
// same, but does not say when there was no room for it.
func (s *store) emptyWAL() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var busy, pages, moved int64
	err := s.each(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", []any{&busy, &pages, &moved}, func() {})
	if err == nil && busy != 0 {
		err = errors.New("another process reads the new file")
	}
	return err
}

// rename renames a file within its folder, durably.
func rename(from, to string) error {
	return private.Dir(filepath.Dir(from)).Rename(filepath.Base(from), filepath.Base(to))
}

// forgetDamaged deletes all but the newest damaged files.
func (h *History) forgetDamaged() {
	asides, _ := filepath.Glob(globQuote(h.options.Path) + ".damaged-*Z")
	slices.Sort(asides)
	for _, old := range asides[:max(0, len(asides)-keepDamaged)] {
		h.log.Warn("deleting an old damaged history", "file", old)
		_ = errors.Join(os.Remove(old), os.Remove(old+"-wal"), os.Remove(old+"-shm"))
	}
}

// globQuote makes a pattern that matches the path itself.
func globQuote(path string) string {
	var quoted []byte
	for i := range len(path) {
		if slices.Contains([]byte(`*?[\`), path[i]) {
			quoted = append(quoted, '\\')
		}
		quoted = append(quoted, path[i])
	}
	return string(quoted)
}

// repair replaces the damaged file while the history is in use.
func (h *History) repair(cause error) error {
	if h.store != nil {
		if err := h.store.close(); err != nil {
			h.log.Debug("closing the damaged history", "error", err)
		}
		h.set(nil, h.known)
	}
	opened, known, err := h.replace(h.known, cause)
	if err == nil {
		h.set(opened, known)
		err = h.boundWAL()
	}
	return err
}

// inspect replaces the file if damage that a query met is still there: the file may have been
// replaced since.
func (h *History) inspect(met error) {
	if h.store == nil {
		return // the next commit tries to replace it
	}
	if err := h.store.check(checkBudget); !isDamage(err) {
		h.log.Warn("a query met damage in the history that a check does not find", "error", met)
		return
	}
	if err := h.repair(met); err != nil {
		h.log.Error("cannot repair the history; events wait", "error", err, "do", advice(err))
	}
}

func removeAll(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
