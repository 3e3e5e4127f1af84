package rule

import (
	"encoding/binary"
	"slices"
)

// searcher finds which of many literals a text contains, ignoring the case of ASCII letters. Of
// each literal three neighbouring bytes are entered in a table, and each three of the text are
// looked up there. That costs about a nanosecond a byte where nothing is found, with any number of
// literals.
type searcher struct {
	bits     [1 << gramBits / 64]uint64
	buckets  [1 << bucketBits][]literal // by the first bits of the hash of their gram; nil where there are none
	literals bool                       // there are some
	others   []*Rule                    // rules that have no literals to search for
}

const (
	gramLength = 3
	gramBits   = 16
	bucketBits = 10
)

// literal is a text to find, in lower case, and where in it its gram stands.
type literal struct {
	gram uint32
	at   int
	text string
	rule *Rule
}

// searchable says whether a searcher can find all the literals.
func searchable(literals []string) bool {
	for _, l := range literals {
		if len(l) < gramLength {
			return false
		}
	}
	return literals != nil
}

// gramOf returns three bytes with the case of letters taken out. Other bytes fall together, too.
func gramOf(x uint32) uint32 { return (x | 0x202020) & 0xffffff }

func gramHash(gram uint32) uint32 { return gram * 0x9e3779b1 >> (32 - gramBits) }

// add enters the literals of a rule, each by the gram that is rarest in requests.
func (s *searcher) add(r *Rule) {
	literals := r.expr.Literals()
	if !searchable(literals) {
		s.others = append(s.others, r)
		return
	}
	s.literals = true
	for _, text := range literals {
		best, at := -1, 0
		for i := 0; i+gramLength <= len(text); i++ {
			rare := rarity(text[i]) + rarity(text[i+1]) + rarity(text[i+2])
			if rare > best {
				best, at = rare, i
			}
		}
		gram := gramOf(uint32(text[at]) | uint32(text[at+1])<<8 | uint32(text[at+2])<<16)
		h := gramHash(gram)
		s.bits[h/64] |= 1 << (h % 64)
		bucket := &s.buckets[h>>(gramBits-bucketBits)]
		*bucket = append(*bucket, literal{gram, at, text, r})
	}
}

// rarity estimates how seldom a byte is in targets, referers and agents.
func rarity(c byte) int {
	const common = "etaoinsr/lcdh.mpuw0g1-2b f3y5v4k6_7;:8)9(x,=jqz"
	for i := range len(common) {
		if common[i] == c {
			return i
		}
	}
	return 2 * len(common)
}

// search adds the rules with a literal in text to found, and those without literals. It reads eight bytes at once, and
// shifts the six grams out that are in them; the next eight begin six bytes on:
//
//	text      / W p - L o g i n . p h p
//	| 0x20    / w p - l o g i            the first byte is the lowest
//	grams     /wp wp- p-l -lo log ogi    behind shifts of 0 to 5 bytes
//	next                  g i n . p h p  and so on, at the last ones byte by byte
func (s *searcher) search(text []byte, found []*Rule) []*Rule {
	for _, r := range s.others {
		found = insert(found, r)
	}
	if !s.literals {
		return found
	}
	at := 0
	for ; at+8 <= len(text); at += 6 {
		x := binary.LittleEndian.Uint64(text[at:]) | 0x2020202020202020
		for i := range 6 {
			gram := uint32(x>>(8*i)) & 0xffffff
			if h := gramHash(gram); s.bits[h/64]>>(h%64)&1 != 0 {
				found = s.verify(text, at+i, gram, found)
			}
		}
	}
	for ; at+gramLength <= len(text); at++ {
		gram := gramOf(uint32(text[at]) | uint32(text[at+1])<<8 | uint32(text[at+2])<<16)
		if h := gramHash(gram); s.bits[h/64]>>(h%64)&1 != 0 {
			found = s.verify(text, at, gram, found)
		}
	}
	return found
}

// verify compares the literals that have a gram with the text around it.
func (s *searcher) verify(text []byte, at int, gram uint32, found []*Rule) []*Rule {
	bucket := s.buckets[gramHash(gram)>>(gramBits-bucketBits)]
	for i := range bucket {
		l := &bucket[i]
		start := at - l.at
		if l.gram != gram || start < 0 || start+len(l.text) > len(text) {
			continue
		}
		same := true
		for i := 0; i < len(l.text) && same; i++ {
			c := text[start+i]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			same = c == l.text[i]
		}
		if same {
			found = insert(found, l.rule)
		}
	}
	return found
}

// insert adds a rule in the order of the rules, once.
func insert(rules []*Rule, r *Rule) []*Rule {
	at := len(rules)
	for at > 0 && rules[at-1].number <= r.number {
		at--
	}
	if at < len(rules) && rules[at] == r {
		return rules
	}
	return slices.Insert(rules, at, r)
}
