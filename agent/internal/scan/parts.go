package scan

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// parts is a log: a file, or those that rotation made of it, in the order in which they were written.
type parts struct {
	name  string
	files []string
}

// What rotation adds to a name: logrotate's numbers, its dates behind the name or before its ending, as cronolog has
// them too, and Apache's rotatelogs' seconds since 1970. An address is neither.
var (
	numbered = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(.*[A-Za-z].*)\.(\d{1,4})$`)
	})
	dated = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(.*[A-Za-z].*?)[-._]((?:19|20)\d\d[-._]?(?:0[1-9]|1[0-2])[-._]?(?:0[1-9]|[12]\d|3[01])(?:[-._:T]?\d\d){0,3}|1\d{9})(\.[a-z]+)?$`)
	})
)

// partsOf sorts files by the logs that they are of, as their names tell.
func partsOf(files []string) []parts {
	type part struct {
		file   string
		date   string // its digits; "" if the name has none
		number int    // 0 if the name has none
	}
	var names []string
	logs := map[string][]part{}
	for _, file := range files {
		p, name := part{file: file}, file
		folder, base := filepath.Split(file)
		switch ending := filepath.Ext(base); ending {
		case ".gz", ".bz2", ".xz", ".zst":
			base = strings.TrimSuffix(base, ending)
			name = folder + base
		}
		if digits(base) == "" {
			// It is whole, as most are: their scan need not wait until the expressions are compiled.
		} else if found := dated().FindStringSubmatch(base); found != nil {
			name, p.date = folder+found[1]+found[3], digits(found[2])
		} else if found := numbered().FindStringSubmatch(base); found != nil {
			name = folder + found[1]
			p.number, _ = strconv.Atoi(found[2]) // digits, and few
		}
		if logs[name] == nil {
			names = append(names, name)
		}
		logs[name] = append(logs[name], p)
	}
	all := make([]parts, len(names))
	for i, name := range names {
		slices.SortStableFunc(logs[name], func(a, b part) int {
			if (a.date == "") != (b.date == "") { // what has no date is the newest
				return cmp.Compare(b.date, a.date)
			}
			return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(b.number, a.number))
		})
		all[i].name = name
		for _, p := range logs[name] {
			all[i].files = append(all[i].files, p.file)
		}
	}
	return all
}

func digits(text string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, text)
}
