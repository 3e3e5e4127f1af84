package history_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
)

// A copy that is made while events are committed is that of one commit. Restored elsewhere, it goes
// on from there and takes no event twice.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	h := start(t, options(file(t)))
	h.commit(batch{agent: "a", epoch: 7, first: 1, events: events(2000)})
	if err := h.Correct(t.Context(), history.Correction{Agent: "a", Kind: events(1)[0].Kind, By: 5, Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	totals := h.totals()
	var copied bytes.Buffer
	var said int64
	err := h.Backup(t.Context(), func(size int64) error {
		said = size
		h.commit(batch{agent: "a", epoch: 7, first: 2001, events: events(3000)}) // is not in it
		return nil
	}, &copied)
	if err != nil || said != int64(copied.Len()) || said < 100_000 {
		t.Fatalf("%d bytes, %d were announced, error %v", copied.Len(), said, err)
	}

	path := file(t)
	old := start(t, options(path))
	old.commit(batch{agent: "old", epoch: 1, first: 1, events: events(3)})
	if _, err := history.Restore(path, bytes.NewReader(copied.Bytes()), noon, nil); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a history that is open was replaced: %v", err)
	}
	old.stop()
	aside, err := history.Restore(path, bytes.NewReader(copied.Bytes()), noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.Stat(aside); err != nil || kept.Size() == 0 {
		t.Errorf("what was there before is gone: %v", err)
	}
	if again, err := history.Restore(path, bytes.NewReader(copied.Bytes()), noon, nil); err != nil || again == aside {
		t.Errorf("the second restore of a second keeps what was there as %s, error %v: that has the name already", again, err)
	}
	restored := start(t, options(path))
	if got := restored.totals(); !reflect.DeepEqual(got, totals) || count(restored) != 2001 {
		t.Errorf("totals %+v, want %+v; %d records", got, totals, count(restored))
	}
	if got, _ := restored.Committed(t.Context(), "a", 7); got != 2000 {
		t.Errorf("committed up to %d, want 2000", got)
	}
	if got := restored.commit(batch{agent: "a", epoch: 7, first: 1990, events: events(20)}); got != 2009 {
		t.Errorf("committed up to %d, want 2009", got)
	}
	if got := restored.totals(); got[0].Events != totals[0].Events+9 {
		t.Errorf("totals %+v: want 9 events more than %+v", got, totals)
	}
}

// What is no history, or a broken one, replaces nothing.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	path, totals := written(t, 1)
	content := read(t, path)
	damaged := bytes.Clone(content)
	clear(damaged[20*4096 : 22*4096])
	for name, copied := range map[string][]byte{
		"nothing": {}, "text": []byte(strings.Repeat("hello\n", 5000)), "half of one": content[:len(content)/2], "a damaged one": damaged,
	} {
		if aside, err := history.Restore(path, bytes.NewReader(copied), noon, nil); err == nil || aside != "" {
			t.Errorf("%s: restored, error %v", name, err)
		}
		h := start(t, options(path))
		if got := h.totals(); !reflect.DeepEqual(got, totals) {
			t.Errorf("%s: totals %+v", name, got)
		}
		h.stop()
	}
}
