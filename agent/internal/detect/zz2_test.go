package detect

import (
	"testing"

	"github.com/pialert/pialert/agent/internal/rule"
)

func BenchmarkZFind(b *testing.B) {
	rules, _ := Load()
	lk := rules.Lookup()
	for _, x := range [][2]string{
		{"tag", "Received disconnect from 187.141.143.180: 11: Bye Bye [preauth]"},
		{"pam", "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=187.141.143.180  user=root"},
		{"pam", "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=187.141.143.180"},
		{"tag", "Failed password for root from 187.141.143.180 port 46324 ssh2"},
		{"tag", "Failed password for invalid user admin from 187.141.143.180 port 46324 ssh2"},
		{"pam", "check pass; user unknown"},
		{"tag", "input_userauth_request: invalid user admin [preauth]"},
		{"tag", "Invalid user admin from 187.141.143.180"},
		{"tag", "reverse mapping checking getaddrinfo for customer-187-141-143-180-sta.uninet-ide.com.mx [187.141.143.180] failed - POSSIBLE BREAK-IN ATTEMPT!"},
	} {
		b.Run(x[1][:12], func(b *testing.B) {
			var c *rule.Candidates
			if x[0] == "pam" {
				c = lk.ForPAM([]byte("sshd"))
			} else {
				c = lk.ForTag([]byte("sshd"))
			}
			t := []byte(x[1])
			r, loc := c.Find(t, nil)
			name := "none"
			if r != nil {
				name = r.ID
			}
			b.Log(name)
			var f rule.Fields
			for b.Loop() {
				r, loc = c.Find(t, loc)
			}
			_ = f
		})
		b.Run(x[1][:12]+"-fields", func(b *testing.B) {
			var c *rule.Candidates
			if x[0] == "pam" {
				c = lk.ForPAM([]byte("sshd"))
			} else {
				c = lk.ForTag([]byte("sshd"))
			}
			t := []byte(x[1])
			r, loc := c.Find(t, nil)
			var f rule.Fields
			if r == nil {
				return
			}
			for b.Loop() {
				f.Read(r, t, loc)
			}
		})
	}
}
