package journalfile

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Place is where an entry stands in the journal.
type Place struct {
	SeqnumID  id // of who numbered the entries
	Seqnum    uint64
	Boot      id
	Monotonic uint64 // microseconds since the boot
	Realtime  uint64 // microseconds since 1970
	XorHash   uint64 // of all its fields
}

// Cursor returns the place as journalctl writes it.
func (p Place) Cursor() string {
	return fmt.Sprintf("s=%s;i=%x;b=%s;m=%x;t=%x;x=%x", p.SeqnumID, p.Seqnum, p.Boot, p.Monotonic, p.Realtime, p.XorHash)
}

// ParseCursor reads a cursor that [Place.Cursor] or journalctl wrote.
func ParseCursor(cursor string) (Place, error) {
	var p Place
	numbers := map[string]*uint64{"i": &p.Seqnum, "m": &p.Monotonic, "t": &p.Realtime, "x": &p.XorHash}
	ids := map[string]*id{"s": &p.SeqnumID, "b": &p.Boot}
	for part := range strings.SplitSeq(cursor, ";") {
		name, value, _ := strings.Cut(part, "=")
		var err error
		if number := numbers[name]; number != nil {
			*number, err = strconv.ParseUint(value, 16, 64)
			delete(numbers, name)
		} else if to := ids[name]; to != nil && len(value) == 2*len(to) {
			_, err = hex.Decode(to[:], []byte(value))
			delete(ids, name)
		} else {
			err = fmt.Errorf("%q is unknown", part)
		}
		if err != nil {
			return Place{}, fmt.Errorf("cannot read the journal's cursor: %w", err)
		}
	}
	if len(numbers)+len(ids) > 0 {
		return Place{}, fmt.Errorf("cannot read the journal's cursor: %q is not whole", cursor)
	}
	return p, nil
}

// read reports whether an entry was read already when reading came to p.
//
// Entries are ordered by their numbers while the same journald numbers them, else by time. When the
// journal in memory is flushed to the disk after a boot, journald numbers its entries anew: their time
// since that boot tells that they are the same.
func (p Place) read(e Place) bool {
	if e.Boot == p.Boot && (e.Monotonic < p.Monotonic || e.Monotonic == p.Monotonic && e.XorHash == p.XorHash) {
		return true
	}
	if e.SeqnumID == p.SeqnumID {
		return e.Seqnum <= p.Seqnum
	}
	return e.Boot != p.Boot && e.Realtime <= p.Realtime
}

// Entry is an entry of the journal with the fields that were asked for.
type Entry struct {
	Place
	Fields []Field
}

// Field is a field of an entry. A value of more than [MaxValue] bytes is nil.
type Field struct {
	Name  string
	Value []byte
}

// id is a 128-bit number, as systemd gives to machines, boots and files.
type id [16]byte

func (i id) String() string { return fmt.Sprintf("%x", i[:]) }
