package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxDraining bounds the rotated files that are drained at a time.
const maxDraining = 8

// headSize is how many bytes at a file's start tell it from another file with the same inode.
const headSize = 1024

// maxMarks bounds the files in one position: those that are drained, one that is read, and the newest one
// that is done. A stored position with more, as older versions wrote them, is used as it is.
const maxMarks = maxDraining + 2

// fileID is a file's identity while it exists. After its deletion another file may have the same.
type fileID struct {
	Device uint64 `json:"dev"`
	Inode  uint64 `json:"ino"`
}

// identify returns the identity of the file that info describes, which must come from package os.
func identify(info os.FileInfo) fileID {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{Device: uint64(stat.Dev), Inode: stat.Ino}
}

// born returns when the file was made, in nanoseconds since 1970; zero if the file system does not tell.
func born(file *os.File) int64 { return statBirth(int(file.Fd()), "", unix.AT_EMPTY_PATH) }

// bornAt does the same for a name.
func bornAt(name string) int64 { return statBirth(unix.AT_FDCWD, name, 0) }

func statBirth(fd int, name string, flags int) int64 {
	var stat unix.Statx_t
	err := unix.Statx(fd, name, flags, unix.STATX_BTIME, &stat)
	if err != nil || stat.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return stat.Btime.Sec*1e9 + int64(stat.Btime.Nsec)
}

// links returns how many names the file has.
func links(info os.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(stat.Nlink)
}

// head is a hash of a file's first bytes: all that were read of it, at most headSize.
type head [16]byte

func hashHead(first []byte) head {
	sum := sha256.Sum256(first)
	return head(sum[:16])
}

func (h head) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, h[:]), nil
}

func (h *head) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	if err != nil || len(decoded) != len(h) {
		return fmt.Errorf("cannot read %q as the hash of a head", text)
	}
	*h = head(decoded)
	return nil
}

// mark is a place in one file.
type mark struct {
	fileID
	// Born is when the file was made, in nanoseconds since 1970; zero where the file system does not tell.
	// It is what a file is known by of which nothing was read.
	Born int64 `json:"born,omitempty"`
	// Head covers the first headLength bytes.
	Head head `json:"head"`
	// Offset counts bytes as they were written, also when the file is compressed by now. It is at the
	// start of a line, or inside of one that is being left out if Skip is set.
	Offset int64 `json:"off"`
	Skip   bool  `json:"skip,omitempty"`
	// Done means that the file is not read any more.
	Done bool `json:"done,omitempty"`
}

// headLength is how many of the file's first bytes Head covers: all that were read, at most headSize.
func (m mark) headLength() int64 {
	return min(m.Offset, headSize)
}

// position is everything that a source needs to go on after a restart.
type position struct {
	// Files are the files that are not done with, and the newest one that is, oldest first. Files newer
	// than the last of them have not been read at all.
	Files []mark `json:"files"`
	// Modified is when the newest file that was read had last been written to. When none of Files can be
	// found, what was written to later has not been read.
	Modified time.Time `json:"modified"`
}

func (p position) encode() []byte {
	text, err := json.Marshal(p)
	if err != nil { // no field of a position can fail
		return nil
	}
	return text
}

// decodePosition returns a stored position. With an error it has what could be read of it nevertheless; ok is
// false if that is nothing.
func decodePosition(text []byte) (p position, ok bool, err error) {
	var stored struct {
		Files    []json.RawMessage `json:"files"`
		Modified time.Time         `json:"modified"`
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return position{}, false, fmt.Errorf("cannot read the stored position: %w", err)
	}
	p.Modified = stored.Modified
	for _, raw := range stored.Files {
		var m mark
		problem := json.Unmarshal(raw, &m)
		if problem == nil && m.Offset < 0 {
			problem = fmt.Errorf("offset %d", m.Offset)
		}
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("cannot use a file of the stored position: %w", problem))
			continue
		}
		p.Files = append(p.Files, m)
	}
	return p, err == nil || len(p.Files) > 0, err
}
