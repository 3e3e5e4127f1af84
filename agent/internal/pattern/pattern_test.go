package pattern_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/pattern"
)

// longChoice has more branches than a choice has bits for.
var longChoice = func() string {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("(n)%d", i))
	}
	return "(?:" + strings.Join(names, "|") + ")(x?)"
}()

// What rules look like. Each is compiled, not left to regexp.
var ruleShapes = []string{
	`^Failed (?P<method>\S+) for (?P<invalid>invalid user |illegal user )?(?P<user>.*) from (?P<ip>\S+)(?: port (?P<port>\d{1,5}))?(?: ssh\d*)?(?:: .*)?$`,
	`^(?:Connection (?:closed|reset) by|Disconnected from) (?:(?:authenticating|invalid) user (.*) )?([0-9a-fA-F.:]+) port (\d+)(?: \[preauth\])?$`,
	`^Did not receive identification string from (\S+)(?: port (\d+))?\s*$`,
	`^AH0161[78]: user (?P<user>.*?)(?: not found)?: (?:/.*)$`,
	`user (.*?): authentication failure for "([^"]*)": (?:Password Mismatch|not found)`,
	`/(?:\.env|\.git/|wp-config\.php\.(?:bak|old|save))`,
	`(?i)\$\{(?:jndi|lower|upper|env|sys)\b`,
	`^(?:[0-9a-f]{1,4}:){2,7}[0-9a-f]{1,4}$`,
	`^(?:\d{1,3}\.){3}\d{1,3}$`,
	`(\w+)@(\w+)\.com`,
	`(?m)^\s*$`,
	`[^\x00-\x7f]+`,
	`a.*?b.*c(?:d|e|)f?$`,
	`^(a+)(a*)(a??)(b|ab|)$`,
	`x*`,
	``,
	`(?:(a)|b)(?:(c)d|e)?`,
	`(.*)(?:b|(a))d`,
	`\x{fffd}+|é`,
	`(?s)^(.*)(.+)$`,
	longChoice,
	`^.*(?:(x)|y)z`, // what the way with x saved must not stay when the way with y is the match
	`^(\S+) (\S*)\[preauth\]$`,
	`^\S{3,9}x\S`,
	`((([ab]{1,3})))`, // groups around a group have the places that it has
}

var texts = []string{
	"", "a", "abc", "\n", "a\nb\n", "\xff", "é\xc3", "\xe2\x82\xac\xac", "aXbYcdf", "aaaab", "bacd", "xad", "n7x", "n299", "n17", "an170xn", "n300x", "yzx", "xzyz", "xyz",
	"abcdefgh\tijkl [preauth]", "\u00e9\u00e9\u00e9\u00e9\u00e9 \x01\x1f!\x0bé\xff~\x7f[preauth]", "12345678 1234567[preauth]", "12345678x1",
	"Failed password for root from 192.0.2.7 port 4711 ssh2",
	"Failed password for invalid user a from 203.0.113.9 port 22 ssh2 from 192.0.2.7 port 4711 ssh2",
	"Failed none for invalid user  from 2001:db8::7 port 22 ssh2",
	"Failed publickey for git from 192.0.2.7 port 4711 ssh2: RSA SHA256:from 203.0.113.9",
	"Connection closed by authenticating user root 192.0.2.7 port 22 [preauth]",
	"Disconnected from 192.0.2.7 port 22",
	"AH01617: user eve: authentication failure for \"/\": Password Mismatch",
	"user eve: x\": authentication failure for \"/a\": not found",
	"GET /.git/config", "${JNDI:ldap}", "2001:db8:0:1:2:3:4:5", "192.0.2.7", "me@example.com", "\ufffd\xffé",
}

// The matcher finds what regexp finds, in every pair of a shape and a text.
func TestAgreesWithRegexp(t *testing.T) {
	t.Parallel()
	for _, expr := range ruleShapes {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Compiled() {
			t.Errorf("%q is left to regexp", expr)
		}
		for _, text := range texts {
			compare(t, p, regexp.MustCompile(expr), []byte(text))
		}
	}
}

// compare checks everything that a Pattern says about a text against regexp.
func compare(t *testing.T, p *pattern.Pattern, oracle *regexp.Regexp, text []byte) {
	t.Helper()
	want := oracle.FindSubmatchIndex(text)
	loc, found := p.Match(text, make([]int, 3))
	if found != (want != nil) || found && !slices.Equal(loc, want) {
		t.Fatalf("%q on %q: %v, %v; regexp says %v", p, text, loc, found, want)
	}
	if !slices.Equal(p.Names(), oracle.SubexpNames()) {
		t.Errorf("%q names %q", p, p.Names())
	}
	if found && !strings.HasPrefix(string(text), p.Prefix()) {
		t.Errorf("%q matches %q, which does not start with %q", p, text, p.Prefix())
	}
	if prefixes := p.Prefixes(); found && prefixes != nil && !slices.ContainsFunc(prefixes, func(l string) bool { return strings.HasPrefix(string(text), l) }) {
		t.Errorf("%q matches %q, which starts with none of %q", p, text, prefixes)
	}
	if found && !strings.Contains(string(text), p.Required()) {
		t.Errorf("%q matches %q, which does not contain %q", p, text, p.Required())
	}
	if found && !strings.HasSuffix(string(text), p.Suffix()) {
		t.Errorf("%q matches %q, which does not end with %q", p, text, p.Suffix())
	}
	if literals := p.Literals(); found && literals != nil && !slices.ContainsFunc(literals, func(l string) bool { return strings.Contains(string(text), l) }) {
		t.Errorf("%q matches %q, which contains none of %q", p, text, literals)
	}
}

func TestLiterals(t *testing.T) {
	t.Parallel()
	tests := []struct{ expr, prefix, required string }{
		{`^Failed (?:password|publickey) for .* from `, "Failed p", " from "},
		{`^(Failed) password`, "Failed password", " password"},
		{`Failed password`, "", "Failed password"},
		{`^(?:a|b)cde`, "", "cde"},
		{`^(?i)failed`, "", ""},
		{`a?bc*`, "", "b"},
		{`(?:long one)?x`, "", "x"},
		{`(?:long one)+x`, "", "long one"},
		{`(?:abc){0,2}x`, "", "x"},
		{`^a\x{fffd}`, "a", ""},
		{`^ab|^ac`, "", ""},
	}
	for _, test := range tests {
		p, err := pattern.Compile(test.expr)
		if err != nil {
			t.Fatal(err)
		}
		if p.Prefix() != test.prefix || p.Required() != test.required {
			t.Errorf("%q: prefix %q and required %q, want %q and %q",
				test.expr, p.Prefix(), p.Required(), test.prefix, test.required)
		}
	}
}

func TestSuffixes(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		`^a .* \[preauth\]$`: " [preauth]", `a$`: "a", `^a$`: "a", `a`: "", `(?m)a b$`: "", `(?i)a b$`: "", `a(?: b)?$`: "", `a\x{fffd}b$`: "", `$`: "",
	} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if p.Suffix() != want {
			t.Errorf("%q ends with %q, want %q", expr, p.Suffix(), want)
		}
	}
}

func TestSetsOfLiterals(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`/\.(?:env|git/|svn)`:       {"/.env", "/.git/", "/.svn"},
		`^(?:GET|POST) /wp-[a-c]$`:  {"GET /wp-a", "GET /wp-b", "GET /wp-c", "POST /wp-a", "POST /wp-b", "POST /wp-c"},
		`union\s+(?:all\s+)?select`: {"select"},
		`colou?r`:                   {"color", "colour"},
		`(?:abc)+`:                  {"abc"},
		`a|b*`:                      nil,
		`x(?:\.\.[/;]+){2}y`:        {"../", "..;"},
		`ab+c`:                      {"ab"},
		`(?:ab)+cd`:                 {"abcd"},
		`/[ab]x+[0-9]`:              {"/ax", "/bx"},
		`.*`:                        nil,
		`(?i)abc`:                   nil,
		`x{0,3}yes`:                 {"yes"},
		`[\x{fffd}]abc`:             nil,
	} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Literals(); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", expr, got, want)
		}
	}
}

func TestSetsOfPrefixes(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`^Failed (?:password|publickey) for .* from `: {"Failed password for ", "Failed publickey for "},
		`^(Failed) password`:                          {"Failed password"},
		`^(?:Read failed|Write failed).*x`:            {"Read failed", "Write failed"},
		`^PAM: [Ab]uth`:                               {"PAM: Auth", "PAM: buth"},
		`^PAM: [Aa]uth`:                               {"PAM: Auth", "PAM: auth"},
		`^(?:PAM: )?Username`:                         {"PAM: Username", "Username"},
		`^ab|^ac`:                                     {"ab", "ac"},
		`^(?:a|abc)d*`:                                {"a"},
		`^(?:a|b*)c`:                                  nil,
		`^a?b`:                                        {"ab", "b"},
		`^a*b`:                                        nil,
		`^(?:ab*)?c`:                                  nil,
		`^x(?:a|b?)c`:                                 {"xac", "xbc", "xc"},
		`^a\x{fffd}`:                                  {"a"},
		`^(?i)failed`:                                 {"F", "f"},
		`^`:                                           nil,
		`Failed`:                                      nil,
	} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Prefixes(); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", expr, got, want)
		}
	}
}

func TestLeavesToRegexp(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`(a)*`, `(?:a*)*`, `(?:a?b?)+`, `(?:(a)|b){2,}`} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if p.Compiled() {
			t.Errorf("%q is said to be compiled", expr)
		}
		for _, text := range texts {
			compare(t, p, regexp.MustCompile(expr), []byte(text))
		}
	}
}

func TestRefusesBadSyntax(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`(`, `a**`, `\8`, "\xff"} {
		if p, err := pattern.Compile(expr); err == nil {
			t.Errorf("%q became %v", expr, p)
		}
	}
}

// Text that makes backtracking explode is still answered, and answered right. Without the limit
// of steps the first would take longer than the universe has been there.
func TestHostileText(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{`^(?:a+)+$`, `^(?:a|ab|b)*c`, `a*a*a*a*a*a*b`, `(?:x.*)+y`} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"a", "ab", "x"} {
			compare(t, p, regexp.MustCompile(expr), []byte(strings.Repeat(text, 3000)))
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	p, err := pattern.Compile(ruleShapes[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		loc, line := make([]int, 0, 32), []byte(text)
		if n := testing.AllocsPerRun(10, func() { loc, _ = p.Match(line, loc) }); n != 0 {
			t.Errorf("%v allocations for %q", n, text)
		}
	}
}

// FuzzMatch lets the fuzzer write both sides.
func FuzzMatch(f *testing.F) {
	for i, expr := range ruleShapes {
		for j, text := range texts {
			if (i+j)%5 == 0 {
				f.Add(expr, []byte(text))
			}
		}
	}
	f.Add(`^(?:a+)+$`, []byte(strings.Repeat("a", 300)+"b"))
	f.Fuzz(func(t *testing.T, expr string, text []byte) {
		p, err := pattern.Compile(expr)
		if err != nil {
			return
		}
		compare(t, p, regexp.MustCompile(expr), text)
	})
}

// FuzzGrammar writes expressions of the shapes that the matcher knows, from the fuzzer's bytes,
// over an alphabet small enough for them to match often.
func FuzzGrammar(f *testing.F) {
	f.Add([]byte("\x03\x01\x07\x02\x05\x0b\x04\x09\x08\x06\x0a\x0c\x0d\x00\x11\x03\x06"), []byte("abcabd"))
	for i := range 40 {
		seed := fmt.Appendf(nil, "%d%x%o", i*7919, i*104729, i*15485863)
		f.Add(seed, []byte("a b\xffcé "+string(seed)))
	}
	f.Fuzz(func(t *testing.T, plan, text []byte) {
		if len(plan) > 60 || len(text) > 60 {
			return
		}
		text = bytes.Clone(text) // what fails is kept as it came
		for i, b := range text {
			if b < 0x80 {
				text[i] = "ab \n"[b%4]
			}
		}
		expr := expression(&plan, 0)
		p, err := pattern.Compile(expr)
		if err != nil {
			return
		}
		compare(t, p, regexp.MustCompile(expr), text)
	})
}

func expression(plan *[]byte, depth int) string {
	var b strings.Builder
	for len(*plan) > 0 && depth < 6 {
		next := (*plan)[0]
		*plan = (*plan)[1:]
		switch next % 12 {
		case 0:
			return b.String()
		case 1:
			b.WriteString("|")
		case 2:
			b.WriteString("(" + expression(plan, depth+1) + ")")
		case 3:
			b.WriteString("(?:" + expression(plan, depth+1) + ")")
		case 4, 5:
			b.WriteString([]string{"*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}", "{0,2}?"}[next/12%10])
		case 6:
			b.WriteString([]string{"^", "$", `\b`, `\B`, "(?m:^)", "(?m:$)"}[next/12%6])
		case 7, 8:
			b.WriteString([]string{".", "[ab]", "[^a]", `\s`, `\S`, "[^ ]", "(?s:.)", "[é-ü]", `\x{fffd}`, "é", "(?i:a)"}[next/12%11])
		default:
			b.WriteString(string("ab "[next/12%3]))
		}
	}
	return b.String()
}

func BenchmarkMatch(b *testing.B) {
	lines := map[string][]byte{
		"match": []byte("Failed password for invalid user admin from 198.51.100.24 port 51234 ssh2"),
		"other": []byte("Connection closed by 198.51.100.24 port 51234 [preauth]"),
	}
	const expr = `^Failed (?P<method>password|publickey|none) for (?P<invalid>invalid user )?(?P<user>.*) from (?P<ip>[0-9a-fA-F.:]+) port (?P<port>\d+)`
	p, err := pattern.Compile(expr)
	if err != nil {
		b.Fatal(err)
	}
	oracle := regexp.MustCompile(expr)
	for name, line := range lines {
		b.Run("pattern/"+name, func(b *testing.B) {
			var loc []int
			for b.Loop() {
				loc, _ = p.Match(line, loc)
			}
		})
		b.Run("regexp/"+name, func(b *testing.B) {
			for b.Loop() {
				oracle.FindSubmatchIndex(line)
			}
		})
	}
}

// Where a pattern takes one digit for another, a text's match is that of any text with other digits.
// An address behind a text that may be anything can be a part of that text, where the end of it is missing.
func TestLeads(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{
		`^from (?P<ip>\S+)$`: true, `^(?:a|b c)? ?(?P<ip>\S+) .*$`: true, `^[^ \[]*\[(?P<ip>[^\]]+)\]`: true, `^(?:x (?P<ip>\d+)|y) .*`: true,
		`^user (?P<user>.*) from (?P<ip>\S+)`: false, `^.+?(?P<ip>\d)`: false, `^(?:user=<(?P<user>.*)>)?(?P<ip>\d)`: false, `^x(?s:.{3,})(?P<ip>\d)`: false,
		`^(?P<user>[^:]*): (?P<ip>\S+)$`: false, `^(?P<user>\S+) (?P<word>x) (?P<ip>\S+)$`: true, `^(?P<other>[^:]*): (?P<ip>\S+)$`: true, `^(?P<other>\S+)$`: false,
	} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if p.Leads("ip", "user", "word") != want {
			t.Errorf("%q: %v", expr, !want)
		}
	}
}

func TestDigitsAlike(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{
		`port \d+`: true, `[0-9a-f]+`: true, `\S\w.[^ ]`: true, `a|b`: true, `[^:]*`: true, `\D`: true, `(?i)ssh\d?`: true, `\b[a-z]\b`: true, `\pN`: true,
		`ssh2`: false, `[1-9]`: false, `[^0]`: false, `[0-8]`: false, `(?:\d{1,3}\.){3}(?:a4)?`: false, `[5]`: false, `[/-0]`: false, `[9-:]`: false,
	} {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if p.DigitsAlike() != want {
			t.Errorf("%q: %v", expr, !want)
		}
	}
	digits := regexp.MustCompile(`[0-9]`)
	alike := 0
	for _, expr := range ruleShapes {
		p, err := pattern.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if !p.DigitsAlike() {
			continue
		}
		alike++
		for _, text := range texts {
			for turn := range byte(10) {
				other := digits.ReplaceAllFunc([]byte(text), func(c []byte) []byte { return []byte{'0' + (c[0]*3+turn)%10} })
				oracle := regexp.MustCompile(expr)
				if was, is := oracle.FindSubmatchIndex([]byte(text)), oracle.FindSubmatchIndex(other); !slices.Equal(was, is) {
					t.Errorf("%q matches %q at %v and %q at %v", expr, text, was, other, is)
				}
			}
		}
	}
	if alike < 10 {
		t.Errorf("%d patterns are alike", alike)
	}
}
