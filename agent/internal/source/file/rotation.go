package file

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"
)

// rotation is the place in a rotation set that a name tells: logrotate's numbers, its dateext
// with any dateformat of digits, both with its extension option too, and what compresses them
// (logrotate(8): start, dateext, dateformat, extension, compressext).
type rotation struct {
	number     int    // 1 is newer than 2; -1 if the name has a date
	date       string // its digits
	compressed string // "", ".gz", ".bz2", ...
}

var compressions = []string{".gz", ".bz2", ".xz", ".zst", ".Z", ".lz4"}

// cutCompression splits "auth.log.2.gz" into "auth.log.2" and ".gz".
func cutCompression(name string) (rest, extension string) {
	for _, extension := range compressions {
		if rest, ok := strings.CutSuffix(name, extension); ok {
			return rest, extension
		}
	}
	return name, ""
}

// parseRotation reads name as a rotated file of base, both without folder.
func parseRotation(base, name string) (rotation, bool) {
	name, compressed := cutCompression(name)
	if infix, ok := strings.CutPrefix(name, base); ok {
		r, ok := parseInfix(infix)
		r.compressed = compressed
		return r, ok
	}
	// With logrotate's extension option the date stands before ".log". A number there is too often the
	// name of another site's log.
	extension := filepath.Ext(base)
	infix, ok := strings.CutPrefix(name, strings.TrimSuffix(base, extension))
	if !ok || extension == "" {
		return rotation{}, false
	}
	infix, ok = strings.CutSuffix(infix, extension)
	if !ok {
		return rotation{}, false
	}
	r, ok := parseInfix(infix)
	r.compressed = compressed
	return r, ok && r.date != ""
}

// parseInfix reads what rotation adds to a name: ".1", "-20261120", ".2026-11-20-13".
func parseInfix(infix string) (rotation, bool) {
	if len(infix) < 2 || !strings.ContainsRune(".-_", rune(infix[0])) {
		return rotation{}, false
	}
	var digits []byte
	for _, c := range []byte(infix[1:]) {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case !strings.ContainsRune(".-_:T", rune(c)):
			return rotation{}, false
		}
	}
	if infix[0] == '.' && len(digits) == len(infix)-1 && len(digits) <= 4 {
		number, err := strconv.Atoi(string(digits))
		return rotation{number: number}, err == nil
	}
	return rotation{number: -1, date: string(digits)}, len(digits) >= 8
}

// older compares two rotated files of one rotation set; it is not known (0) when one has a number and the other a date.
func (r rotation) older(other rotation) int {
	switch {
	case r.date != "" && other.date != "":
		return cmp.Compare(r.date, other.date)
	case r.date == "" && other.date == "":
		return cmp.Compare(other.number, r.number)
	}
	return 0
}

// rotatedFrom reports whether name is a rotated file of another name that matches pattern, and which: "access.log.1"
// for "access*", which must not be followed as a log of its own. "access-20261120" alone, as rotatelogs and
// cronolog write it, is a log for the pattern "access-*". What is compressed is never a log; former is "" if it is
// not known of which it is.
func rotatedFrom(pattern, name string) (former string, ok bool) {
	rest, compressed := cutCompression(name)
	try := func(stem, extension string) {
		for i := len(stem) - 1; i > 0 && strings.ContainsRune("0123456789.-_:T", rune(stem[i])); i-- {
			base := stem[:i] + extension
			if _, rotated := parseRotation(base, rest); !rotated {
				continue
			}
			if matches, err := filepath.Match(pattern, base); err == nil && matches && (former == "" || len(base) < len(former)) {
				former = base
			}
		}
	}
	try(rest, "")
	extension := filepath.Ext(rest)
	try(strings.TrimSuffix(rest, extension), extension)
	return former, former != "" || compressed != ""
}
