package messages

import (
	"iter"
	"strings"
)

// clips are the ends of lines that get lost on their way to a log: what the line starts with there, and how much of
// program and message is left behind it. BusyBox' syslogd reads 255 bytes of "<38>Jan 31 12:00:00 sshd[7]: ..." and musl's
// syslog() sends 1023.
var clips = []struct {
	front string
	most  int
}{
	{written + "auth.info ", 255 - len("<38>Jan 31 12:00:00 ")},
	{"Jan 31 12:00:00 ", 255 - len("<38>Jan 31 12:00:00 ")}, // with -S
	{written + "local0.info ", 255 - len("<134>Jan 31 12:00:00 ")},
	{written + "user.notice ", 511 - len("<9>Jan 31 12:00:00 ")},
	{written, 1023 - len("<38>Jan 31 12:00:00 ")},
}

const written = "Jan 31 12:00:00 host "

// Clip writes the message where a client chose a text that goes on as the message does, with another address: the whole of
// it, and as a syslog daemon does that cuts the ends of long ones. The cut goes through each byte of the forged end and
// right behind it, and then, where the text goes on, the forged end stands in the middle. Nobody but the peer may be blamed.
func (m *Message) Clip() iter.Seq[Filled] {
	return func(yield func(Filled) bool) {
		for i, p := range m.parts {
			if p.name != "user" && p.name != "text" && p.name != "word" {
				continue
			}
			for form := range m.Forms {
				for _, choice := range m.combinations() {
					if !m.clip(values{form: form, choice: choice, hostile: true, at: i}, yield) {
						return
					}
				}
			}
		}
	}
}

func (m *Message) clip(v values, yield func(Filled) bool) bool {
	forged := m.forgedEnd(v)
	for _, text := range []string{forged, "x" + forged, forged + " and so on", forged + ", " + forged} {
		if v.text = text; m.Has("user") && !m.allows.MatchString(text) {
			continue
		}
		for _, v.everywhere = range []bool{false, true} {
			if !yield(m.fill(v)) {
				return false
			}
		}
	}
	v.everywhere = false
	for n, clip := range clips {
		v.text = "\x01"
		front, _, ok := strings.Cut(m.fill(v).message(), unbroken("\x01"))
		front, stamped := strings.CutPrefix(front, written)
		room := clip.most - len(front) // for what the client chose
		if !ok || !stamped || room < 0 {
			continue
		}
		try := func(text string) bool {
			if v.text = text; m.Has("user") && !m.allows.MatchString(text) {
				return true
			}
			f := m.fill(v)
			last := &f.Lines[len(f.Lines)-1]
			sent := strings.TrimPrefix(*last, written)
			if len(sent) <= clip.most {
				return true // nothing gets lost
			}
			*last = clip.front + sent[:clip.most]
			return yield(f)
		}
		const more = "and so on, as long as it takes to have the end cut off "
		if !try(forged+strings.Repeat(", "+more, 20)) || !try(forged+strings.Repeat(" "+more, 20)) ||
			!try(strings.Repeat("x", max(room-len(forged)-1, 0))+forged+"  "+more) { // blanks at the end
			return false
		}
		for through := range len(forged) + 1 {
			if n > 0 && through < len(forged) || room < through {
				continue // the other cuts differ by nothing but their place
			}
			if !try(strings.Repeat("x", room-through) + forged + more) {
				return false
			}
		}
	}
	return true
}

// forgedEnd is what stands behind a client's text, with the address of another.
func (m *Message) forgedEnd(v values) string {
	v.hostile = false
	var b strings.Builder
	for i, p := range m.parts[v.at+1:] {
		b.WriteString(m.value(p, v.at+1+i, v, &Filled{}))
	}
	return strings.ReplaceAll(b.String(), peers[0].addr, Forged)
}
